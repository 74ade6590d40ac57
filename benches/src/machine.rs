//! On what, with what and when the figures were had.

use std::{fs, process::Command};

use crate::http::blog;

/// Whoever is measured beside this workspace's own.
const PEERS: [&str; 6] = [
    "governor",
    "axum_gcra",
    "trypema",
    "tower_governor",
    "axum-governor",
    "axum-limit",
];

const METHOD: &str = "\
How it is measured: contestants take turns, round after round, so that what the machine does \
meanwhile troubles all of them alike. A figure is the median of the rounds. A ratio is taken within \
each round, to the first of its comparison; it is stated as the median and the lowest and highest. \
What is counted and not timed (allocations, bytes) has no rounds, and neither has the longest time \
of a check, which is that of all the checks.

In memory, everyone is asked about the same clients in the same order, drawn beforehand: IPv4 \
addresses, each in the kind of key that the limiter takes (`IpAddr`, or text for trypema, which \
includes writing the address out). Everyone has the same limit, which is not used up, its own \
default hash and its own default clock. With two threads, the time is that of the whole divided by \
the checks of both. `MemoryStore` is the decision alone, as the peers take it; `RateLimiter` is all \
that a request costs: whose it is, its tier, the decision, and counting it. How the time grows with \
the number of clients is drawn in [growth.svg](growth.svg).

Through Redis, everyone is asked about the same ten thousand clients, each of whom may make 100,000 \
requests an hour, on one connection of the same client library, and has a server for as long as its \
comparison lasts. Raw `EVALSHA` is the script of `RedisStore` with nothing around it; raw `INCR` is \
the least that counting can cost, and decides nothing. The blog's pipeline and token bucket are what \
articles about FastAPI and Redis have their readers write, in Rust: a transaction that counts those \
it turns away, and a bucket that is read and then written. axum-limit reads and writes in a \
transaction that holds its connection, whatever is in flight. trypema has a window of its own, \
divided into buckets; it asks for Redis 7.2, and runs on what is named above. Its hybrid is no \
strict limit: it answers from memory about whoever it knows, which is everybody here, tells Redis \
each 10 ms, and may overshoot; the next one's turn comes when it has. Beside it are leases, which \
do not overshoot, with ten busy clients that may make as many requests as they like. How the answers grow with the \
checks in flight is drawn in [in_flight.svg](in_flight.svg).

Over HTTP, a server has one core and wrk the other, and Redis, where it is used, whichever is free. \
Each server with its wrk has its turn of 50 ms, 40 times in a round, and stands still until it has \
the next; for each round they are started anew. Without Redis the handlers take a `State`, and one \
of them writes three constant headers: what hyper and the kernel do for as many bytes is in any \
limiter's time that tells its callers as much. With Redis each request has one of a thousand API \
keys, whose tiers are in Redis. The blog's app is in [blog](blog): it looks a tier up for each \
request, where `#[rate_limit]` remembers it for a while.

Not measured: tower-rate-limiter (each version of it needs a newer Rust than this workspace is \
pinned to); axum-governor other than over HTTP (its limiter is governor's, and is private to its \
layer).
";

pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!(
        "# Results of `benches/run`\n\n\
         Ratios are what counts: the machine is shared, and the absolute figures are its own.\n\n\
         - machine: {model}, {cores} cores\n\
         - {}\n- {}\n- wrk {}\n- date: {}\n- peers: {}\n- the blog's app: {}\n\n{METHOD}",
        printed("rustc", &["--version"]),
        printed("redis-server", &["--version"]),
        printed("wrk", &["--version"])
            .split_whitespace()
            .nth(1)
            .unwrap_or("unknown"),
        printed("date", &["+%F"]),
        PEERS.map(locked).join(", "),
        blog::versions().unwrap_or_else(|| String::from("not run")),
    )
}

/// A package and its version, as it was built.
fn locked(package: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let version = lock
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("unknown", |(version, _)| version);
    format!("{package} {version}")
}

/// The first line of what a program says of itself.
fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
