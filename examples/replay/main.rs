//! Whom a limit would have turned away, by an access log:
//!
//! ```sh
//! cargo run --release --example replay -- access.log --policy 'limit=60' --policy 'free=60,algo=token_bucket,burst=20'
//! ```
//!
//! The requests of the log go through the policies of the library itself, in the time of the log
//! and not of the machine. All of it is done in memory that does not grow with the log.

mod clients;
mod input;
mod lines;
mod log;
mod order;
mod replay;
mod report;
mod series;
mod spec;

use std::{
    error::Error,
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use ratelimit::ClientId;

use self::{
    input::Input,
    lines::{Line, Lines},
    order::{InOrder, Request},
    replay::Replay,
    report::{Broken, Page, Report, Text},
    spec::Spec,
};

/// Shows whom a rate limit would have turned away, when and how often, by the requests of an access
/// log.
#[derive(Parser)]
#[command(name = "replay", after_help = MORE_HELP)]
struct Args {
    /// The access log; `-` reads standard input
    log: PathBuf,

    /// A policy to try; several are compared
    #[arg(long = "policy", value_name = "POLICY", required = true)]
    policies: Vec<Spec>,

    /// Only requests whose path begins so
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,

    /// Writes a page with plots there, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
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

The log is in the common or combined format, or has a JSON object on each line. Its lines are put in
order of time within two minutes and 250,000 requests. Up to 200,000 clients all counts are exact.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ratelimit_examples::run(run(Args::parse())).await
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let (input, bar) = input::open(&args.log)?;
    let mut broken = Broken::default();
    let mut order = InOrder::default();
    let mut replay = Replay::new(args.policies);
    let read = Reader {
        tiers: replay.tiers(),
        prefix: args.path.as_deref(),
    };
    let replayed = read.all(input, &mut order, &mut replay, &mut broken).await;
    // Whatever is said next has the terminal to itself.
    bar.finish_and_clear();
    replayed?;

    let log = input::name(&args.log);
    let report = Report::new(log, args.path.as_deref(), &replay, &order, &broken)?;
    if let Some(file) = &args.html {
        fs::write(file, Page(&report).to_string())
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    print(&report, args.html.as_deref())
}

/// What is looked for in each line.
struct Reader<'a> {
    /// The tiers that a policy has.
    tiers: Vec<&'static str>,
    prefix: Option<&'a str>,
}

impl Reader<'_> {
    async fn all(
        &self,
        input: Input,
        order: &mut InOrder,
        replay: &mut Replay,
        broken: &mut Broken,
    ) -> Result<(), Box<dyn Error>> {
        let mut lines = Lines::new(input);
        while let Some(line) = lines.next()? {
            match self.request(&line) {
                Ok(Some(request)) => order.push(request),
                Ok(None) => {}
                Err(problem) => broken.add(lines.number, problem),
            }
            while let Some(request) = order.pop() {
                replay.request(&request).await?;
            }
        }
        while let Some(request) = order.take() {
            replay.request(&request).await?;
        }
        Ok(())
    }

    /// The request of a line, if it is one that is looked for.
    fn request(&self, line: &Line<'_>) -> Result<Option<Request>, String> {
        let Line::Whole(line) = line else {
            return Err(format!("it is longer than {} bytes", lines::LONGEST));
        };
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(line);
        let entry = log::entry(&line)?;
        let path = entry.path.as_deref();
        if let Some(prefix) = self.prefix
            && !path.is_some_and(|path| path.starts_with(prefix))
        {
            return Ok(None);
        }
        let is_its = |known: &&&str| entry.tier.as_deref() == Some(**known);
        let tier = self.tiers.iter().find(is_its).copied();
        Ok(Some(Request {
            at: entry.at,
            client: ClientId::ip(entry.client),
            tier: tier.unwrap_or_default(),
        }))
    }
}

/// Prints the tables. Whoever reads them may have seen enough before the end.
fn print(report: &Report<'_>, page: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let mut printed = write!(out, "{}", Text(report));
    if let Some(page) = page {
        printed = printed.and_then(|()| writeln!(out, "\nThe plots are in {}", page.display()));
    }
    match printed.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
