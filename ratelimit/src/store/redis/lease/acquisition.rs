//! How a slice is acquired: by one call, which runs to its answer in a task of its own.
//!
//! Redis takes the whole slice from the bucket when it runs the script, whether or not the answer is
//! still awaited. A request that times out or is canceled therefore does not end the call: what
//! arrives later is spent by other requests or given back.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::{Held, slice::Taken};
use crate::{
    algorithm::Decision,
    budget::Budget,
    store::{
        StoreError,
        redis::{RedisStore, shard::TimeLimit},
    },
};

/// How long a call runs on after its request has timed out. A server that was suspended for a few
/// seconds still runs what it had received; after this time the slice is lost.
const LATE_MAX: Duration = Duration::from_secs(10);

/// How many calls of a process run on for so long, at about 2 KB each. Each bucket has at most one.
pub(super) const LATE_CALLS: usize = 1_000;

/// A call that acquires a slice. Requests that wait for the slice continue when this is dropped,
/// whether it has arrived or not.
pub(super) struct Acquisition(pub(super) Arc<Held>);

impl Acquisition {
    /// Releases the requests that wait for the slice, and has no others wait for it.
    pub(super) fn release_waiters(&self) {
        self.0.slice().promise_no_more();
        self.0.came.notify_waiters();
    }
}

impl Drop for Acquisition {
    fn drop(&mut self) {
        self.0.slice().nothing_is_under_way();
        self.0.came.notify_waiters();
    }
}

/// The outcome of the request that a slice was acquired for. If it is dropped before the request
/// gets it, the request's part goes back.
struct Outcome {
    store: RedisStore,
    held: Arc<Held>,
    cost: u32,
    /// How often the bucket had been reset when Redis was asked.
    resets: u64,
    decision: Option<Decision>,
}

impl Outcome {
    fn into_decision(mut self) -> Option<Decision> {
        self.decision.take()
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(decision) = self.decision.filter(|decision| decision.allowed)
            && self.held.slice().resets() == self.resets
        {
            self.store.put_back(&self.held, self.cost, &decision);
        }
    }
}

impl RedisStore {
    /// Acquires a slice of `wanted`, of which `needed` is for the request.
    pub(super) async fn acquire(
        &self,
        held: &Arc<Held>,
        needed: u32,
        wanted: u32,
        deadline: Budget,
    ) -> Result<Decision, StoreError> {
        let (answer, answered) = oneshot::channel();
        let store = self.clone();
        let acquisition = Acquisition(held.clone());
        tokio::spawn(async move {
            let held = &acquisition.0;
            let resets = held.slice().resets();
            let outcome = |decision| Outcome {
                store: store.clone(),
                held: held.clone(),
                cost: needed,
                resets,
                decision: Some(decision),
            };
            let mut call = pin!(store.fetch(held, needed, wanted, deadline));
            let in_time = deadline.run(call.as_mut()).await;
            let is_late = in_time.is_err();
            let decision = in_time.unwrap_or_else(|_| Err(store.deployment.no_answer()));
            // An outcome that the request does not wait for any more is dropped, and so put back.
            let _ = answer.send(decision.map(outcome));
            if !is_late {
                return;
            }
            acquisition.release_waiters();
            let Ok(_permit) = store.leases.late_calls.try_acquire() else {
                return;
            };
            drop(call.await.map(outcome));
        });
        let decision = match answered.await {
            Ok(outcome) => outcome?.into_decision(),
            Err(_) => None,
        };
        decision.ok_or_else(|| StoreError::new("its runtime has ended"))
    }

    /// The decision about the request, once the rest of the slice is where it can be spent.
    async fn fetch(
        &self,
        held: &Arc<Held>,
        needed: u32,
        wanted: u32,
        deadline: Budget,
    ) -> Result<Decision, StoreError> {
        if deadline.is_spent() {
            return Err(self.deployment.no_answer());
        }
        let asked_at = self.leases.clock.now_micros();
        let resets = held.slice().resets();
        // The breaker counts the timeout, and not the late answer: that would keep it closed while
        // every request times out.
        let run = self.run(TimeLimit {
            deadline: deadline.extend(LATE_MAX),
            counted: deadline,
        });
        let (size, decision) = run.lease(&held.books, needed, wanted).await?;
        if !decision.allowed {
            held.slice().heard(&decision);
            return Ok(decision);
        }
        let taken = Taken {
            decision,
            asked_at,
            ends_at: held.end(asked_at, &decision),
        };
        let before = {
            let mut slice = held.slice();
            if slice.resets() != resets {
                // It may have been taken from the bucket as it was before the reset.
                return Ok(decision);
            }
            slice.came(size, needed, taken)
        };
        self.keep(held);
        if let Some(unspent) = before {
            self.return_later(&held.books, unspent);
        }
        Ok(Decision {
            remaining: decision.remaining + (size - needed),
            ..decision
        })
    }
}
