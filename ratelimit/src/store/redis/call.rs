//! What is said in a script's call.

use std::fmt;

use redis::{Cmd, RedisWrite, ToRedisArgs};

use crate::{
    algorithm::token_bucket,
    policy::{Algorithm, TICKS_PER_MICRO},
    store::Bucket,
};

/// A call that needs more room than these for each key, and for the rest, gets it later.
const ARGUMENTS: usize = 8;
const BYTES: usize = 160;

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
pub(super) struct Key<'a> {
    pub(super) prefix: &'a str,
    pub(super) bucket: &'a Bucket,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)?;
        self.bucket.fmt(f)
    }
}

impl ToRedisArgs for Key<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
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
