//! The scripts: what goes in, what comes out, and what follows from it.

use redis::{Cmd, ErrorKind, RedisError, Script, ServerErrorKind, Value};

use super::connection::{ConnectError, Connections, reason};
use crate::{
    algorithm::{Decision, fixed_window, sliding_window, token_bucket},
    policy::{Algorithm, Quota, TICKS_PER_MICRO},
    store::{Bucket, StoreError},
};

pub(super) struct Scripts {
    token_bucket: Source,
    sliding_window: Source,
    fixed_window: Source,
}

struct Source {
    text: &'static str,
    sha1: String,
}

impl Source {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            sha1: Script::new(text).get_hash().to_owned(),
        }
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            token_bucket: Source::new(concat!(
                include_str!("scripts/time.lua"),
                include_str!("scripts/token_bucket.lua")
            )),
            sliding_window: Source::new(concat!(
                include_str!("scripts/time.lua"),
                include_str!("scripts/sliding_window.lua")
            )),
            fixed_window: Source::new(concat!(
                include_str!("scripts/time.lua"),
                include_str!("scripts/fixed_window.lua")
            )),
        }
    }

    /// Has the server compile the scripts, so that the first check finds them there.
    pub(super) async fn load(&self, connections: &Connections) -> Result<(), ConnectError> {
        for source in [&self.token_bucket, &self.sliding_window, &self.fixed_window] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(source.text);
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

    /// One check: one round trip, or two where the server has lost the script.
    pub(super) async fn run(
        &self,
        connections: &Connections,
        bucket: &Bucket,
        key: &str,
        cost: u32,
        now: Option<u64>,
    ) -> Result<Decision, StoreError> {
        let source = match bucket.algorithm() {
            Algorithm::TokenBucket => &self.token_bucket,
            Algorithm::SlidingWindow => &self.sliding_window,
            Algorithm::FixedWindow => &self.fixed_window,
        };
        let quota = bucket.quota();
        let arguments = arguments(bucket.algorithm(), &quota, cost);
        let call = |name: &str, script: &str| {
            let mut call = redis::cmd(name);
            call.arg(script).arg(1).arg(key);
            match now {
                Some(now) => call.arg(now),
                None => call.arg(""),
            };
            for argument in &arguments {
                call.arg(argument);
            }
            call
        };
        let sent = send(connections, &call("EVALSHA", &source.sha1)).await;
        let answer = match sent {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                send(connections, &call("EVAL", source.text)).await
            }
            sent => sent,
        }
        .map_err(|error| connections.failed(&error))?;
        let numbers = redis::from_redis_value::<Vec<u64>>(answer)
            .map_err(|_| StoreError::new("Redis gave an answer that is not the script's"))?;
        decision(bucket.algorithm(), &quota, cost, &numbers)
            .ok_or_else(|| StoreError::new("Redis gave an answer that is not the script's"))
    }
}

async fn send(connections: &Connections, command: &Cmd) -> Result<Value, RedisError> {
    connections
        .send(command)
        .await
        .and_then(Value::extract_error)
}

/// `ARGV` from the second on.
fn arguments(algorithm: Algorithm, quota: &Quota, cost: u32) -> Vec<u64> {
    match algorithm {
        Algorithm::TokenBucket => {
            // More than the burst is as impossible as anything above it, and fits the numbers.
            let cost = cost.min(quota.burst().saturating_add(1));
            let taken = u64::from(cost) * quota.interval_ticks();
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

/// What to tell the client, from the time and the state that a script found. The script has taken
/// the same decision already; `None` where it has not, or where the numbers are not a script's.
fn decision(algorithm: Algorithm, quota: &Quota, cost: u32, answer: &[u64]) -> Option<Decision> {
    let (&admitted, &now) = (answer.first()?, answer.get(1)?);
    let decision = match (algorithm, &answer[2..]) {
        (Algorithm::TokenBucket, &[us, ticks]) => {
            let state = token_bucket::State {
                full_at: us.saturating_mul(TICKS_PER_MICRO).saturating_add(ticks),
            };
            token_bucket::decide(state, quota, cost, now).1
        }
        (Algorithm::SlidingWindow, &[used, newest, blocking]) => {
            let view = sliding_window::View {
                used: u32::try_from(used).ok()?,
                newest,
                blocking,
            };
            sliding_window::decide(view, quota, cost, now)
        }
        (Algorithm::FixedWindow, &[start, used]) => {
            let state = fixed_window::State {
                start,
                used: u32::try_from(used).ok()?,
            };
            fixed_window::decide(state, quota, cost, now).1
        }
        _ => return None,
    };
    (decision.allowed == (admitted == 1)).then_some(decision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_the_scripts_is_no_decision() {
        let quota = Quota::per_minute(5);
        for algorithm in [
            Algorithm::TokenBucket,
            Algorithm::SlidingWindow,
            Algorithm::FixedWindow,
        ] {
            for answer in [
                &[][..],
                &[1],
                &[1, 2],
                &[1, 2, 3],
                &[1, 2, 3, 4, 5, 6],
                &[0, 1_000_000, 0, 0],
                &[7, u64::MAX, u64::MAX, u64::MAX],
                &[7, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
            ] {
                assert_eq!(
                    decision(algorithm, &quota, 1, answer),
                    None,
                    "{algorithm:?} {answer:?}"
                );
            }
        }
        assert!(decision(Algorithm::FixedWindow, &quota, 1, &[1, 1_000_000, 0, 0]).is_some());
    }
}
