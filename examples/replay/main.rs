//! Whom a limit would have turned away, by access logs:
//!
//! ```sh
//! cargo run --release --example replay -- access.log* --policy 'limit=60' --policy 'free=60,algo=token_bucket,burst=20'
//! ```
//!
//! The requests of the logs go through the policies of the library itself, in the time of the logs
//! and not of the machine. All of it is done in memory that does not grow with the logs.
//!
//! `log` reads lines, `input` makes one stream of requests of files, `replay` has policies decide
//! about it, and `report` shows what came out.

mod clients;
mod input;
mod log;
mod replay;
mod report;
mod series;
mod spec;

use std::{
    error::Error,
    fmt::Display,
    fs,
    io::{self, ErrorKind, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use jiff::SignedDuration;

use self::{
    input::{Filter, InOrder, Merge, Progress, Tally},
    log::{Format, Network, Settings, TrustedNetworks, Zone},
    replay::Replay,
    report::{Page, Report, Text},
    spec::Spec,
};

/// Shows whom a rate limit would have turned away, when and how often, by the requests of access
/// logs.
#[derive(Parser)]
#[command(name = "replay", after_help = MORE_HELP)]
struct Args {
    /// Access logs, plain or gzip, in any order; `-` reads standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,

    /// A policy to try; several are compared
    #[arg(long = "policy", value_name = "POLICY", required = true)]
    policies: Vec<Spec>,

    /// Only requests whose path begins so
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,

    /// Writes a page with plots there, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// The format of all lines
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    format: Format,

    /// The networks of your proxies [default: those for private use]
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    trusted: Vec<Network>,

    /// The time zone of times that are written without one, such as +02:00 or Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        allow_hyphen_values = true
    )]
    zone: Zone,

    /// How far out of order the lines of a log may be
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = window)]
    reorder: Duration,

    /// The share of a log's lines that may be unreadable
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = percent)]
    max_unreadable: f64,
}

const MORE_HELP: &str = "\
A policy is written in the words of the attribute, as in 'free=60,algo=token_bucket,burst=20':

  limit=60                  requests per window, for everybody
  free=60,pro=600           or on each tier: free, pro, enterprise, internal; a number or unlimited
  default_tier=free         the tier of requests without one; others say theirs in a field `tier`
  per=1m                    the window: 500ms, 30s, 1m, 1h, 1d, 2m30s
  algo=sliding_window       or token_bucket, fixed_window
  burst=20                  requests at once, with the token bucket
  cost=1                    how many requests one counts as
  key=ip                    what shares a bucket: an address (of IPv6 a /64), or global

The format of each line is detected, with or without the prefix of syslog, Docker or Kubernetes. With
--format all lines must have one of these:

  common       a date and a request in quotes: the common and combined formats of Apache and nginx,
               and what is like them; also named combined, vhost_combined, apache, nginx,
               ingress-nginx, traefik, haproxy, envoy
  json         an object on each line, with the usual names: Caddy, Traefik, nginx, Envoy, ECS, GCP;
               also named caddy, traefik-json, ecs, gcp
  alb          AWS application and classic load balancers; also named elb
  cloudfront   CloudFront, IIS and others with a line #Fields: before; also named w3c, iis

If a line has a list of forwarded addresses, before all others or after the user agent (before it in
Envoy's), the client is the last address that is not in a network of --trusted, read from the server's
peer to the left: the rule of the limiter's trusted_proxies. A list from a peer that is not trusted is
ignored.

Logs are merged by time; one that is named twice, as by a link, is read once. The lines of each are put
in order within --reorder and 250,000 requests. A log of which more than one request in 1,000 is out of
order after that is an error. Lines may be 1 MiB long. Up to 200,000 clients all counts are exact.
Memory does not grow with the logs.

Examples:

  replay /var/log/nginx/access.log* --policy limit=60
  kubectl logs deploy/web --since=24h | replay - --policy limit=60 --policy free=60,burst=20,algo=token_bucket
  journalctl -u caddy -o cat | replay - --trusted 10.0.0.0/8,198.51.100.0/24 --policy limit=60
  replay AWSLogs/*.log.gz --path /api/ --policy limit=600,per=1h --html limits.html

Exit codes: 0 if the report was printed; 1 if a log cannot be read, is empty, or has too many lines
that are unreadable or out of order; 2 if the arguments are wrong.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ratelimit_examples::run(run(Args::parse())).await
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    if let Some(file) = &args.html {
        Page::verify_target(file)?;
    }
    let logs = input::distinct(args.logs);
    let mut replay = Replay::new(args.policies);
    let path = args.path.as_deref();
    let filter = Filter {
        tiers: replay.tiers(),
        prefix: path.unwrap_or_default(),
        max_unreadable: args.max_unreadable,
    };
    let settings = Settings {
        format: args.format,
        trusted: TrustedNetworks::new(&args.trusted),
        zone: args.zone,
    };
    let progress = Progress::new(&logs);
    let mut order = InOrder::within(args.reorder);
    let merge = Merge::new(&logs, &progress, args.reorder, &settings, &filter);
    let replayed = match merge {
        Ok(merge) => replay_all(merge, &mut order, &mut replay).await,
        Err(error) => Err(error.into()),
    };
    // Whatever is said next has the terminal to itself.
    progress.finish();
    let tally = replayed?;

    let log = input::title(&logs);
    let report = Report::new(log, path, &replay, &order, &tally)?;
    print(Text(&report))?;
    if let Some(file) = &args.html {
        let shown = file.display();
        fs::write(file, Page(&report).to_string())
            .map_err(|error| format!("cannot write {shown}: {error}"))?;
        print(format_args!("\nThe plots are in {shown}\n"))?;
    }
    Ok(())
}

/// Replays the logs from their beginning to their end.
async fn replay_all(
    mut logs: Merge<'_>,
    order: &mut InOrder,
    replay: &mut Replay,
) -> Result<Tally, Box<dyn Error>> {
    while let Some(request) = logs.next()? {
        let late_by = order.push(request);
        logs.placed(late_by, request.at)?;
        while let Some(request) = order.pop() {
            replay.request(&request).await?;
        }
    }
    while let Some(request) = order.take() {
        replay.request(&request).await?;
    }
    Ok(logs.tally)
}

fn window(text: &str) -> Result<Duration, String> {
    let length = text.parse::<SignedDuration>().ok();
    length
        .and_then(|length| Duration::try_from(length).ok())
        .ok_or_else(|| "not a length of time such as 30s, 2m or 1h".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim_end().parse().ok();
    number
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "not a percentage from 0 to 100".to_owned())
}

/// Prints something. Whoever reads it may have seen enough before the end.
fn print(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let printed = write!(out, "{text}").and_then(|()| out.flush());
    match printed {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}
