//! What is said in a script's call.

use redis::{Cmd, ToRedisArgs};

use crate::{
    algorithm::token_bucket,
    policy::{Algorithm, TICKS_PER_MICRO},
    store::Bucket,
};

/// The room of a call for each key, and for the rest. What needs more gets it later.
const ARGUMENTS: usize = 8;
const BYTES: usize = 160;

/// The room of a key, likewise, beside its prefix.
const KEY_BYTES: usize = 96;

/// A script's call, up to the time: `None` for the server's own.
pub(super) fn of(
    name: &str,
    script: &str,
    keys: impl ExactSizeIterator<Item: ToRedisArgs>,
    now: Option<u64>,
) -> Cmd {
    let room = 1 + keys.len();
    let mut call = Cmd::with_capacity(room * ARGUMENTS, script.len() + room * BYTES);
    call.arg(name).arg(script).arg(keys.len());
    for key in keys {
        call.arg(key);
    }
    match now {
        Some(now) => call.arg(now),
        None => call.arg(""),
    };
    call
}

/// What a bucket is called in Redis.
pub(super) fn key(prefix: &str, bucket: &Bucket) -> String {
    let mut key = String::with_capacity(prefix.len() + KEY_BYTES);
    key.push_str(prefix);
    // A string takes whatever it is given.
    let _ = bucket.write_to(&mut key);
    key
}

/// An algorithm, as it is in `ARGV`.
pub(super) fn letter(bucket: &Bucket) -> &'static str {
    match bucket.algorithm() {
        Algorithm::TokenBucket => "t",
        Algorithm::SlidingWindow => "s",
        Algorithm::FixedWindow => "f",
    }
}

/// What is asked of an algorithm, as it is in `ARGV`.
pub(super) fn rule(bucket: &Bucket, cost: u32) -> [u64; 4] {
    let quota = bucket.quota();
    match bucket.algorithm() {
        Algorithm::TokenBucket => {
            let taken = token_bucket::ticks(cost, &quota);
            let capacity = quota.capacity_ticks();
            [
                taken / TICKS_PER_MICRO,
                taken % TICKS_PER_MICRO,
                capacity / TICKS_PER_MICRO,
                capacity % TICKS_PER_MICRO,
            ]
        }
        Algorithm::SlidingWindow | Algorithm::FixedWindow => [
            u64::from(cost),
            u64::from(quota.limit()),
            quota.per_micros(),
            0,
        ],
    }
}
