//! From a question to a script, and from its reply to a decision.

use std::sync::Arc;

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value};

use super::{
    RedisStore,
    call::{self, letter, rule},
    connection::{PooledConnection, Waiting, is_cross_slot, reason},
    deployment::Route,
    reply::{Answer, Found, agreed, decisions, of_each},
    scripts::Source,
    shard::{Shard, TimeLimit},
};
use crate::{
    algorithm::Decision,
    foreign_text::Explanation,
    store::{Bucket, Charge, Decisions, StoreError},
};

const RESET: &str = include_str!("scripts/reset.lua");

/// One run of a script, with what it needs beside its buckets.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) store: &'a RedisStore,
    pub(super) limit: TimeLimit,
    /// `None` for the server's own time.
    pub(super) now: Option<u64>,
}

impl Run<'_> {
    /// One check: one round trip, or two where the server has lost the script.
    pub(super) async fn check(self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        let Answer([now, admitted, state @ ..]) = self
            .ask(bucket, |route| async move {
                self.in_batch(&route, bucket, cost).await
            })
            .await?;
        let found = Found::read(bucket, now, state).ok_or_else(not_the_scripts)?;
        agreed(found.check(&bucket.quota(), cost), admitted).ok_or_else(not_the_scripts)
    }

    /// Takes what is wanted, or else what is needed. What was taken, and the decision about it.
    pub(super) async fn lease(
        self,
        bucket: &Bucket,
        needed: u32,
        wanted: u32,
    ) -> Result<(u32, Decision), StoreError> {
        let source = &self.store.scripts.of(bucket.algorithm()).lease;
        let wants = rule(bucket, wanted);
        let answer = self.one(source, bucket, needed, &wants);
        let Answer([now, taken, state @ ..]) = answer.await?;
        let found = Found::read(bucket, now, state).ok_or_else(not_the_scripts)?;
        let cost = if taken == 2 { wanted } else { needed };
        let decision = agreed(found.check(&bucket.quota(), cost), taken.min(1));
        Ok((cost, decision.ok_or_else(not_the_scripts)?))
    }

    /// Takes the cost, or all there is.
    pub(super) async fn charge(self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        let source = &self.store.scripts.of(bucket.algorithm()).charge;
        let Answer([now, was_there, state @ ..]) = self.one(source, bucket, cost, &[]).await?;
        let found = Found::read(bucket, now, state).ok_or_else(not_the_scripts)?;
        agreed(found.charge(&bucket.quota(), cost), was_there).ok_or_else(not_the_scripts)
    }

    /// Gives back a cost that was taken at `at`.
    pub(super) async fn refund(
        self,
        bucket: &Bucket,
        cost: u32,
        at: u64,
    ) -> Result<Decision, StoreError> {
        let source = &self.store.scripts.of(bucket.algorithm()).refund;
        let at = [at];
        let Answer([now, _, state @ ..]) = self.one(source, bucket, cost, &at).await?;
        let found = Found::read(bucket, now, state).ok_or_else(not_the_scripts)?;
        Ok(found.check(&bucket.quota(), 0))
    }

    /// Forgets a bucket.
    pub(super) async fn reset(self, bucket: &Bucket) -> Result<(), StoreError> {
        let mut forget = redis::cmd("EVAL");
        // Short enough to be sent each time.
        forget.arg(RESET).arg(1).arg(self.key(bucket));
        let forget = &forget;
        let forgotten = self.ask(bucket, |route| async move {
            route.send(forget, self.limit.deadline).await
        });
        forgotten.await.map(|_: Value| ())
    }

    /// One check of several buckets, in one round trip.
    pub(super) async fn check_all(self, charges: &[Charge]) -> Result<Decisions, StoreError> {
        let call = &|name: &str, script: &str| {
            let keys = charges.iter().map(|charge| self.key(&charge.bucket));
            let mut call = call::of(name, script, keys, self.now);
            for charge in charges {
                call.arg(u8::from(charge.enforced));
                call.arg(letter(&charge.bucket));
                call.arg(&rule(&charge.bucket, charge.cost));
            }
            call
        };
        let Some(first) = charges.first() else {
            return Ok(Decisions::new());
        };
        // All of them are one client's, or on one server.
        let script = &self.store.scripts.check_all;
        let answer = |route: Route| async move {
            let connection = route.shard.pool.connection();
            let answer = self.call(&route, &connection, script, call).await;
            if answer.as_ref().is_err_and(is_cross_slot) {
                route.shard.pool.note_apart(charges);
            }
            answer
        };
        let answers: Vec<Answer> = self.ask(&first.bucket, answer).await?;
        decisions(charges, &answers).ok_or_else(not_the_scripts)
    }

    /// One check in a call of its own.
    pub(super) async fn alone(
        self,
        route: &Route,
        connection: &Arc<PooledConnection>,
        bucket: &Bucket,
        cost: u32,
    ) -> Result<Value, RedisError> {
        let source = &self.store.scripts.of(bucket.algorithm()).check;
        let call = |name: &str, script: &str| self.of_one(name, script, bucket, cost);
        self.call(route, connection, source, call).await
    }

    /// Checks that have nothing to do with each other, in one call: the answer to each. They ask
    /// few different things of their buckets, so that those that ask the same stand together, and
    /// of these the ones that ask it of the same bucket, in the order in which they came.
    pub(super) async fn check_each(
        self,
        route: &Route,
        connection: &Arc<PooledConnection>,
        checks: &[Waiting],
    ) -> Result<Vec<Value>, RedisError> {
        let ask = |(place, check): (usize, &Waiting)| {
            let asked = (letter(&check.bucket), rule(&check.bucket, check.cost));
            (asked, self.key(&check.bucket), place)
        };
        let mut asking: Vec<_> = checks.iter().enumerate().map(ask).collect();
        asking.sort_unstable();
        let call = |name: &str, script: &str| {
            let keys = asking.iter().map(|(_, key, _)| key);
            let mut call = call::of(name, script, keys, self.now);
            for same in asking.chunk_by(|(asked, ..), (next, ..)| asked == next) {
                if let [((letter, rule), ..), ..] = same {
                    call.arg(same.len()).arg(letter).arg(rule);
                }
            }
            call
        };
        let reply = self
            .call(route, connection, &self.store.scripts.check_each, call)
            .await?;
        let mut answers = vec![Value::Nil; checks.len()];
        for ((.., place), answer) in asking.into_iter().zip(of_each(reply, checks.len())) {
            answers[place] = answer;
        }
        Ok(answers)
    }

    async fn one<T: FromRedisValue>(
        self,
        source: &Source,
        bucket: &Bucket,
        cost: u32,
        more: &[u64],
    ) -> Result<T, StoreError> {
        let call = &|name: &str, script: &str| {
            let mut call = self.of_one(name, script, bucket, cost);
            call.arg(more);
            call
        };
        self.ask(bucket, |route| async move {
            let connection = route.shard.pool.connection();
            self.call(&route, &connection, source, call).await
        })
        .await
    }

    fn of_one(&self, name: &str, script: &str, bucket: &Bucket, cost: u32) -> Cmd {
        let mut call = call::of(name, script, [self.key(bucket)].into_iter(), self.now);
        call.arg(&rule(bucket, cost));
        call
    }

    /// What the script answers, by its digest or, where the server has lost it, whole.
    async fn call(
        self,
        route: &Route,
        connection: &Arc<PooledConnection>,
        source: &Source,
        call: impl Fn(&str, &str) -> Cmd,
    ) -> Result<Value, RedisError> {
        let by_digest = call("EVALSHA", &source.sha1);
        match route
            .send_through(connection, &by_digest, self.limit.deadline)
            .await
        {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let whole = call("EVAL", &source.text);
                route
                    .send_through(connection, &whole, self.limit.deadline)
                    .await
            }
            answer => answer,
        }
    }

    /// Has a question about a bucket answered, and reads the answer.
    async fn ask<T, F>(
        self,
        bucket: &Bucket,
        question: impl Fn(Route) -> F,
    ) -> Result<T, StoreError>
    where
        T: FromRedisValue,
        F: Future<Output = Result<Value, RedisError>>,
    {
        let deployment = &self.store.deployment;
        let answer = deployment
            .ask(
                || self.key(bucket).into_bytes(),
                self.limit,
                question,
                failed,
            )
            .await?;
        redis::from_redis_value(answer).map_err(|_| not_the_scripts())
    }

    fn key(&self, bucket: &Bucket) -> String {
        call::key(&self.store.prefix, bucket)
    }
}

fn failed(shard: &Shard, error: &RedisError) -> StoreError {
    if is_wrong_type(error) {
        StoreError::of_one_bucket(Explanation(reason(error)))
    } else if is_cross_slot(error) {
        // The server answers: it is no outage.
        StoreError::refused(Explanation(reason(error)))
    } else {
        shard.pool.failed(error)
    }
}

/// Whether the key holds something else. Redis 6.2 says before it which script it was, and where.
fn is_wrong_type(error: &RedisError) -> bool {
    let says_so = |detail: &str| detail.contains(": WRONGTYPE ");
    error.code() == Some("WRONGTYPE") || error.detail().is_some_and(says_so)
}

fn not_the_scripts() -> StoreError {
    StoreError::of_one_bucket("Redis gave an answer that is not the script's")
}
