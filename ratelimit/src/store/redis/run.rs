//! From a question to a script's call, and from its reply to a decision.

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::Instant;

use super::{
    connection::{Connections, reason},
    reply::{Found, agreed, decisions},
    scripts::{Scripts, Source},
};
use crate::{
    algorithm::{Decision, token_bucket},
    policy::{Algorithm, TICKS_PER_MICRO},
    store::{Bucket, Charge, Decisions, StoreError, breaker::Breaker},
};

/// One run of a script, with what it needs beside its buckets.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) scripts: &'a Scripts,
    pub(super) connections: &'a Connections,
    pub(super) breaker: &'a Breaker,
    /// Until when the answer may be waited for.
    pub(super) deadline: Instant,
    pub(super) prefix: &'a str,
    /// `None` for the server's own time.
    pub(super) now: Option<u64>,
}

impl Run<'_> {
    /// One check: one round trip, or two where the server has lost the script.
    pub(super) async fn check(self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        let source = &self.scripts.of(bucket.algorithm()).check;
        let arguments = arguments(bucket, cost);
        let answer: Vec<u64> = self.one(source, bucket, &arguments, None).await?;
        let (&admitted, rest) = answer.split_first().ok_or_else(not_the_scripts)?;
        let found = Found::read(bucket, rest).ok_or_else(not_the_scripts)?;
        agreed(found.check(&bucket.quota(), cost), admitted).ok_or_else(not_the_scripts)
    }

    /// Takes the cost, or all there is.
    pub(super) async fn charge(self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        let source = &self.scripts.of(bucket.algorithm()).charge;
        let arguments = arguments(bucket, cost);
        let answer: Vec<u64> = self.one(source, bucket, &arguments, None).await?;
        let (&was_there, rest) = answer.split_first().ok_or_else(not_the_scripts)?;
        let found = Found::read(bucket, rest).ok_or_else(not_the_scripts)?;
        agreed(found.charge(&bucket.quota(), cost), was_there).ok_or_else(not_the_scripts)
    }

    /// Gives back a cost that was taken at `at`.
    pub(super) async fn refund(
        self,
        bucket: &Bucket,
        cost: u32,
        at: u64,
    ) -> Result<Decision, StoreError> {
        let source = &self.scripts.of(bucket.algorithm()).refund;
        let arguments = arguments(bucket, cost);
        let answer: Vec<u64> = self.one(source, bucket, &arguments, Some(at)).await?;
        let found = Found::read(bucket, &answer).ok_or_else(not_the_scripts)?;
        Ok(found.check(&bucket.quota(), 0))
    }

    /// Forgets a bucket.
    pub(super) async fn reset(self, bucket: &Bucket) -> Result<(), StoreError> {
        let mut forget = redis::cmd("DEL");
        forget.arg(self.key(bucket));
        let forgotten = async {
            let answer = self.command(&forget).await;
            answer.map(drop).map_err(|error| self.failed(&error))
        };
        self.breaker.ask(forgotten).await
    }

    /// One check of several buckets, in one round trip.
    pub(super) async fn check_all(self, charges: &[Charge]) -> Result<Decisions, StoreError> {
        let call = |name: &str, script: &str| {
            let mut call = redis::cmd(name);
            call.arg(script).arg(charges.len());
            for charge in charges {
                call.arg(self.key(&charge.bucket));
            }
            self.add_time(&mut call);
            for charge in charges {
                call.arg(match charge.bucket.algorithm() {
                    Algorithm::TokenBucket => "t",
                    Algorithm::SlidingWindow => "s",
                    Algorithm::FixedWindow => "f",
                });
                call.arg(u8::from(charge.enforced));
                let arguments = arguments(&charge.bucket, charge.cost);
                for n in 0..4 {
                    call.arg(arguments.get(n).copied().unwrap_or_default());
                }
            }
            call
        };
        let answers: Vec<Vec<u64>> = self.send(&self.scripts.check_all, call).await?;
        decisions(charges, &answers).ok_or_else(not_the_scripts)
    }

    async fn one<T: redis::FromRedisValue>(
        self,
        source: &Source,
        bucket: &Bucket,
        arguments: &[u64],
        last: Option<u64>,
    ) -> Result<T, StoreError> {
        let call = |name: &str, script: &str| {
            let mut call = redis::cmd(name);
            call.arg(script).arg(1).arg(self.key(bucket));
            self.add_time(&mut call);
            for argument in arguments {
                call.arg(argument);
            }
            if let Some(last) = last {
                call.arg(last);
            }
            call
        };
        self.send(source, call).await
    }

    async fn send<T: redis::FromRedisValue>(
        self,
        source: &Source,
        call: impl Fn(&str, &str) -> Cmd,
    ) -> Result<T, StoreError> {
        self.breaker.ask(self.answer(source, call)).await
    }

    async fn answer<T: redis::FromRedisValue>(
        self,
        source: &Source,
        call: impl Fn(&str, &str) -> Cmd,
    ) -> Result<T, StoreError> {
        let answer = match self.command(&call("EVALSHA", &source.sha1)).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command(&call("EVAL", &source.text)).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| self.failed(&error))?;
        redis::from_redis_value(answer).map_err(|_| not_the_scripts())
    }

    async fn command(self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = self.connections.send(command, self.deadline).await;
        answer.and_then(Value::extract_error)
    }

    fn failed(&self, error: &RedisError) -> StoreError {
        if error.code() == Some("WRONGTYPE") {
            StoreError::of_one_bucket(reason(error))
        } else {
            self.connections.failed(error)
        }
    }

    fn key(&self, bucket: &Bucket) -> String {
        format!("{}{bucket}", self.prefix)
    }

    fn add_time(&self, call: &mut Cmd) {
        match self.now {
            Some(now) => call.arg(now),
            None => call.arg(""),
        };
    }
}

fn not_the_scripts() -> StoreError {
    StoreError::of_one_bucket("Redis gave an answer that is not the script's")
}

/// What an algorithm asks for, as it is in `ARGV`.
fn arguments(bucket: &Bucket, cost: u32) -> Vec<u64> {
    let quota = bucket.quota();
    match bucket.algorithm() {
        Algorithm::TokenBucket => {
            let taken = token_bucket::ticks(cost, &quota);
            let capacity = quota.capacity_ticks();
            vec![
                taken / TICKS_PER_MICRO,
                taken % TICKS_PER_MICRO,
                capacity / TICKS_PER_MICRO,
                capacity % TICKS_PER_MICRO,
            ]
        }
        Algorithm::SlidingWindow | Algorithm::FixedWindow => vec![
            u64::from(cost),
            u64::from(quota.limit()),
            quota.per_micros(),
        ],
    }
}
