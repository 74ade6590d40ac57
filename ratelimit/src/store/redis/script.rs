//! The scripts: what goes in, what comes out, and what follows from it.

use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value};

use super::connection::{ConnectError, Connections, reason};
use crate::{
    algorithm::{Decision, fixed_window, sliding_window, token_bucket},
    policy::{Algorithm, Quota, TICKS_PER_MICRO},
    store::{Bucket, Charge, Decisions, StoreError},
};

/// The files that scripts are put together from.
macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("scripts/", $name, ".lua"))
    };
}

const TIME: &str = file!("time");
const TOKEN_BUCKET: &str = file!("token_bucket");
const SLIDING_WINDOW: &str = concat!(file!("ring"), file!("sliding_window"));
const FIXED_WINDOW: &str = file!("fixed_window");

pub(super) struct Scripts {
    token_bucket: OneBucket,
    sliding_window: OneBucket,
    fixed_window: OneBucket,
    check_all: Source,
}

/// The scripts of one algorithm.
struct OneBucket {
    check: Source,
    charge: Source,
    refund: Source,
}

struct Source {
    text: String,
    sha1: String,
}

impl Source {
    fn new(parts: &[&str]) -> Self {
        let text = parts.concat();
        Self {
            sha1: Script::new(&text).get_hash().to_owned(),
            text,
        }
    }
}

impl OneBucket {
    fn new(name: &str, algorithm: &str, refund: &str) -> Self {
        let choice = format!("local algorithm = {name}\n");
        Self {
            check: Source::new(&[TIME, algorithm, &choice, file!("check")]),
            charge: Source::new(&[TIME, algorithm, &choice, file!("charge")]),
            refund: Source::new(&[TIME, refund]),
        }
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        let refund_sliding_window = concat!(file!("ring"), file!("refund_sliding_window"));
        Self {
            token_bucket: OneBucket::new(
                "token_bucket",
                TOKEN_BUCKET,
                file!("refund_token_bucket"),
            ),
            sliding_window: OneBucket::new("sliding_window", SLIDING_WINDOW, refund_sliding_window),
            fixed_window: OneBucket::new(
                "fixed_window",
                FIXED_WINDOW,
                file!("refund_fixed_window"),
            ),
            check_all: Source::new(&[
                TIME,
                TOKEN_BUCKET,
                SLIDING_WINDOW,
                FIXED_WINDOW,
                file!("check_all"),
            ]),
        }
    }

    /// Has the server compile the scripts of checks, so that the first one finds them there.
    pub(super) async fn load(&self, connections: &Connections) -> Result<(), ConnectError> {
        let Self {
            token_bucket,
            sliding_window,
            fixed_window,
            check_all,
        } = self;
        for source in [
            &token_bucket.check,
            &sliding_window.check,
            &fixed_window.check,
            check_all,
        ] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(&source.text);
            connections
                .send(&load)
                .await
                .and_then(Value::extract_error)
                .map_err(|error| ConnectError::Connect {
                    server: connections.server().to_owned(),
                    reason: reason(&error),
                })?;
        }
        Ok(())
    }

    fn of(&self, algorithm: Algorithm) -> &OneBucket {
        match algorithm {
            Algorithm::TokenBucket => &self.token_bucket,
            Algorithm::SlidingWindow => &self.sliding_window,
            Algorithm::FixedWindow => &self.fixed_window,
        }
    }
}

/// One run of a script, with what it needs beside its buckets.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) scripts: &'a Scripts,
    pub(super) connections: &'a Connections,
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
        let sent = send(self.connections, &call("EVALSHA", &source.sha1)).await;
        let answer = match sent {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                send(self.connections, &call("EVAL", &source.text)).await
            }
            sent => sent,
        }
        .map_err(|error| self.connections.failed(&error))?;
        redis::from_redis_value(answer).map_err(|_| not_the_scripts())
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

async fn send(connections: &Connections, command: &Cmd) -> Result<Value, RedisError> {
    connections
        .send(command)
        .await
        .and_then(Value::extract_error)
}

fn not_the_scripts() -> StoreError {
    StoreError::new("Redis gave an answer that is not the script's")
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

/// The time and the state that a script found.
struct Found {
    now: u64,
    state: FoundState,
}

enum FoundState {
    TokenBucket(token_bucket::State),
    SlidingWindow(sliding_window::View),
    FixedWindow(fixed_window::State),
}

impl Found {
    /// From what a script returned; `None` where the numbers are not a script's.
    fn read(bucket: &Bucket, numbers: &[u64]) -> Option<Self> {
        let (&now, state) = numbers.split_first()?;
        let state = match (bucket.algorithm(), state) {
            (Algorithm::TokenBucket, &[us, ticks]) => {
                FoundState::TokenBucket(token_bucket::State {
                    full_at: us.saturating_mul(TICKS_PER_MICRO).saturating_add(ticks),
                })
            }
            (Algorithm::SlidingWindow, &[used, newest, blocking]) => {
                let used = u32::try_from(used).ok()?;
                let view = sliding_window::View {
                    used,
                    newest,
                    blocking,
                };
                FoundState::SlidingWindow(view.no_later_than(now))
            }
            (Algorithm::FixedWindow, &[start, used]) => {
                let used = u32::try_from(used).ok()?;
                FoundState::FixedWindow(fixed_window::State { start, used })
            }
            _ => return None,
        };
        Some(Self { now, state })
    }

    /// What the script has decided as well, with what to tell the client.
    fn check(&self, quota: &Quota, cost: u32) -> Decision {
        match self.state {
            FoundState::TokenBucket(state) => token_bucket::check(state, quota, cost, self.now).1,
            FoundState::SlidingWindow(view) => sliding_window::decide(view, quota, cost, self.now),
            FoundState::FixedWindow(state) => fixed_window::check(state, quota, cost, self.now).1,
        }
    }

    fn charge(&self, quota: &Quota, cost: u32) -> Decision {
        match self.state {
            FoundState::TokenBucket(state) => token_bucket::charge(state, quota, cost, self.now).1,
            FoundState::SlidingWindow(view) => sliding_window::charge(view, quota, cost, self.now),
            FoundState::FixedWindow(state) => fixed_window::charge(state, quota, cost, self.now).1,
        }
    }
}

/// The decision, if the script has taken the same.
fn agreed(decision: Decision, admitted: u64) -> Option<Decision> {
    (u64::from(decision.allowed) == admitted).then_some(decision)
}

/// The decisions about several buckets: where one is denied, nothing was taken from the others.
fn decisions(charges: &[Charge], answers: &[Vec<u64>]) -> Option<Decisions> {
    if answers.len() != charges.len() {
        return None;
    }
    let admitted =
        |(charge, answer): (&Charge, &Vec<u64>)| !charge.enforced || answer.first() == Some(&1);
    let all_admitted = charges.iter().zip(answers).all(admitted);
    let decision = |(charge, answer): (&Charge, &Vec<u64>)| {
        let (&admitted, rest) = answer.split_first()?;
        let found = Found::read(&charge.bucket, rest)?;
        let quota = charge.bucket.quota();
        let decision = agreed(found.check(&quota, charge.cost), admitted)?;
        let was_taken = all_admitted && decision.allowed;
        Some(if was_taken || !decision.allowed {
            decision
        } else {
            found.check(&quota, 0)
        })
    };
    charges.iter().zip(answers).map(decision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientId,
        policy::{Policy, Tier},
    };

    #[test]
    fn an_answer_that_is_not_the_scripts_is_no_decision() {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
        static POLICIES: [Policy; 3] = [
            Policy::new("tokens", Algorithm::TokenBucket, &TIERS),
            Policy::new("sliding", Algorithm::SlidingWindow, &TIERS),
            Policy::new("fixed", Algorithm::FixedWindow, &TIERS),
        ];
        for policy in &POLICIES {
            let bucket = Bucket::new(policy, policy.default_tier(), ClientId::EVERYBODY);
            let charge = Charge {
                bucket: bucket.expect("limited"),
                cost: 1,
                enforced: true,
            };
            for answer in [
                vec![],
                vec![1],
                vec![1, 2],
                vec![1, 2, 3],
                vec![1, 2, 3, 4, 5, 6],
                vec![0, 1_000_000, 0, 0],
                vec![7, u64::MAX, u64::MAX, u64::MAX],
                vec![7, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
            ] {
                let decided = decisions(&[charge], std::slice::from_ref(&answer));
                assert_eq!(decided, None, "{policy:?} {answer:?}");
            }
            assert_eq!(decisions(&[charge], &[]), None);
        }
        let bucket = Bucket::new(&POLICIES[2], &TIERS[0], ClientId::EVERYBODY).expect("limited");
        let found = Found::read(&bucket, &[1_000_000, 0, 0]);
        assert!(found.is_some_and(|found| found.check(&bucket.quota(), 1).allowed));
    }
}
