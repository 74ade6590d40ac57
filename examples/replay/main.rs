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
mod reader;
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
};

use clap::Parser;

use self::{
    order::InOrder,
    reader::Reader,
    replay::Replay,
    report::{Page, Report, Text},
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
    let mut order = InOrder::default();
    let mut replay = Replay::new(args.policies);
    let mut reader = Reader::new(replay.tiers(), args.path.as_deref());
    let replayed = reader.replay(input, &mut order, &mut replay).await;
    // Whatever is said next has the terminal to itself.
    bar.finish_and_clear();
    replayed?;

    let log = input::name(&args.log);
    let path = args.path.as_deref();
    let report = Report::new(log, path, &replay, &order, &reader.broken)?;
    print(Text(&report))?;
    if let Some(file) = &args.html {
        let shown = file.display();
        fs::write(file, Page(&report).to_string())
            .map_err(|error| format!("cannot write {shown}: {error}"))?;
        print(format_args!("\nThe plots are in {shown}\n"))?;
    }
    Ok(())
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
