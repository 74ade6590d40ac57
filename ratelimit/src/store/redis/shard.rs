//! A server that has a part of the keys, or all of them: its connections and its health.

use std::{pin::pin, sync::Arc};

use super::connection::{Pool, no_answer_in_time};
use crate::{
    budget::Budget,
    store::{StoreError, breaker::Breaker},
};

/// The connections to a server, and the breaker that keeps an outage of it from costing requests
/// time. Clones share both.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) pool: Arc<Pool>,
    pub(super) breaker: Breaker,
}

/// How long a question to a server is waited for.
#[derive(Clone, Copy)]
pub(super) struct TimeLimit {
    /// Until when an answer is waited for.
    pub(super) deadline: Budget,
    /// Until when an answer counts as one. A server whose answers come later is out, though they may
    /// be of use.
    pub(super) counted: Budget,
}

impl From<Budget> for TimeLimit {
    fn from(budget: Budget) -> Self {
        Self {
            deadline: budget,
            counted: budget,
        }
    }
}

impl Shard {
    /// Creates a shard whose breaker probes the server with a new connection.
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        let breaker = {
            let pool = pool.clone();
            Breaker::new(move || {
                let pool = pool.clone();
                async move {
                    pool.renew()
                        .await
                        .map_err(|reason| pool.unavailable(&reason))
                }
            })
        };
        Self { pool, breaker }
    }

    /// Has a question answered, unless there is an outage. The breaker counts the answer.
    pub(super) async fn ask<T, F>(
        &self,
        limit: TimeLimit,
        question: impl FnOnce() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if limit.counted == limit.deadline {
            return self.breaker.ask(question).await;
        }
        let mut answer = pin!(question());
        let mut is_late = false;
        let in_time = async || {
            let answer = limit.counted.run(answer.as_mut()).await;
            is_late = answer.is_err();
            answer.unwrap_or_else(|_| Err(self.pool.failed(&no_answer_in_time())))
        };
        let counted = self.breaker.ask(in_time).await;
        if is_late { answer.await } else { counted }
    }
}
