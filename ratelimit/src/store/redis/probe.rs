//! What a server has to answer before checks are sent to it, at the start and after an outage.

use redis::{Cmd, Pipeline};

use super::{
    call::{self, letter, rule},
    connection::Probe,
    scripts::Scripts,
};
use crate::{
    client::ClientId,
    policy::{Algorithm, Policy, Quota, Tier},
    store::Bucket,
};

/// Milliseconds that the key of the probe is kept.
const TTL: u64 = 1000;

static TIERS: [Tier; 1] = [Tier::new("probe", Quota::per_minute(1))];
static POLICIES: [Policy; 3] = [
    Policy::new("probe", Algorithm::TokenBucket, &TIERS),
    Policy::new("probe", Algorithm::SlidingWindow, &TIERS),
    Policy::new("probe", Algorithm::FixedWindow, &TIERS),
];

/// Returns a probe whose keys have this hash tag.
pub(super) fn new(scripts: &Scripts, prefix: &str, tag: &str, now: Option<u64>) -> Probe {
    Probe {
        write: write(prefix, tag),
        removal: Cmd::del(key(prefix, tag, "write")),
        scripts: run(scripts, prefix, tag, now),
    }
}

/// Returns a write, which fails on a server that answers but takes no writes, such as a replica or one
/// that has run out of memory.
fn write(prefix: &str, tag: &str) -> Cmd {
    let mut write = redis::cmd("SET");
    write
        .arg(key(prefix, tag, "write"))
        .arg("")
        .arg("PX")
        .arg(TTL);
    write
}

/// Returns the rest of the probe: one run of each script of a check, which takes nothing from any
/// bucket.
///
/// The scripts are sent whole, so that the server has them when the first check names them by their
/// digests: a check that found them missing would take two round trips. `SCRIPT LOAD` would do the
/// same, but some proxies close the connection at it.
fn run(scripts: &Scripts, prefix: &str, tag: &str, now: Option<u64>) -> Pipeline {
    let mut probe = redis::pipe();
    let buckets = POLICIES
        .iter()
        .filter_map(|policy| Bucket::new(policy, policy.default_tier(), ClientId::EVERYBODY));
    for bucket in buckets {
        let (algorithm, rule) = (letter(&bucket), rule(&bucket, 0));
        // A value that is not a bucket would be an error of the script, and an outage for all clients.
        probe.del(key(prefix, tag, algorithm));
        let begin = |name: &str, script: &str| -> Cmd {
            let keys = [key(prefix, tag, algorithm)];
            call::of(name, script, keys.iter(), now)
        };
        let check = &scripts.of(bucket.algorithm()).check;
        let mut one = begin("EVAL", &check.text);
        one.arg(&rule);
        probe.add_command(one);
        if bucket.algorithm() == Algorithm::TokenBucket {
            let mut all = begin("EVAL", &scripts.check_all.text);
            all.arg(1).arg(algorithm).arg(&rule);
            let mut each = begin("EVAL", &scripts.check_each.text);
            each.arg(1).arg(algorithm).arg(&rule);
            // As checks are sent, which the user may not be allowed to do.
            let mut by_digest = begin("EVALSHA", &check.sha1);
            by_digest.arg(&rule);
            probe
                .add_command(all)
                .add_command(each)
                .add_command(by_digest);
        }
    }
    probe
}

fn key(prefix: &str, tag: &str, name: &str) -> String {
    format!("{prefix}{{{tag}}}:{name}")
}
