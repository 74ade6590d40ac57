//! The queue at a connection: while a few calls are in flight there, further checks wait, and are then
//! sent as one batch.
//!
//! No check waits for others to come: one that finds the connection free is sent at once, and those in
//! the queue are sent as soon as one of the calls in flight has ended: all of a few, half of many.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{RedisError, Value};
use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::{budget::Budget, store::Bucket};

/// The calls in flight from which on checks wait, if the server is near. The next answer is then about
/// a quarter of a round trip away, and only a busy process has as many checks in flight at all. If it
/// were more, batches would be smaller, and the server would have more calls to begin.
const IN_FLIGHT_MIN: usize = 4;

/// The same if the server is far away. One call in flight for each millisecond of a round trip lets a
/// check wait for about a millisecond, where four would let it wait for up to a round trip: at 60 ms
/// a check with a timeout of 100 ms would get no answer in time.
const IN_FLIGHT_MAX: usize = 64;

/// A batch of up to this size takes all that wait.
const BATCH_MIN: usize = 16;

/// A batch takes half of twice as many: the larger it is, the less of the server's time each check
/// takes, but while the server decides one half, the other should be on its way. Batches larger than
/// this would save it little.
const BATCH_MAX: usize = 64;

/// The most checks that wait. One that finds a full queue is sent at once.
const WAITING_MAX: usize = 1024;

type Answer = Result<Value, RedisError>;

/// A check in the queue.
pub(in super::super) struct Waiting {
    pub(in super::super) bucket: Bucket,
    pub(in super::super) cost: u32,
    pub(in super::super) deadline: Budget,
    pub(in super::super) answer: Sender<Answer>,
}

#[derive(Default)]
pub(in super::super) struct BatchQueue(Mutex<State>);

#[derive(Default)]
struct State {
    in_flight: usize,
    /// Empty unless as many calls as possible are in flight.
    waiting: VecDeque<Waiting>,
}

impl BatchQueue {
    /// Adds a check and returns where to wait for its answer; `None` if it is sent at once, and
    /// [leaves](Self::leave) when it has ended.
    pub(in super::super) fn join(
        &self,
        bucket: &Bucket,
        cost: u32,
        deadline: Budget,
        round_trip: Duration,
    ) -> Option<Receiver<Answer>> {
        let most = usize::try_from(round_trip.as_millis())
            .unwrap_or(IN_FLIGHT_MAX)
            .clamp(IN_FLIGHT_MIN, IN_FLIGHT_MAX);
        let mut state = self.state();
        if state.in_flight < most || state.waiting.len() >= WAITING_MAX {
            state.in_flight += 1;
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.waiting.push_back(Waiting {
            bucket: *bucket,
            cost,
            deadline,
            answer,
        });
        Some(answered)
    }

    /// Ends a call, and returns the batch that is sent in its place; `None` if no check waits.
    pub(in super::super) fn leave(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state();
        let most = (state.waiting.len() / 2).clamp(BATCH_MIN, BATCH_MAX);
        let mut batch = Vec::with_capacity(state.waiting.len().min(most));
        while batch.len() < most
            && let Some(waiting) = state.waiting.pop_front()
        {
            // What is sent may be charged, also if the caller does not wait for the answer any more.
            if !waiting.deadline.is_spent() && !waiting.answer.is_closed() {
                batch.push(waiting);
            }
        }
        if batch.is_empty() {
            state.in_flight -= 1;
            return None;
        }
        Some(batch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    const SOON: Duration = Duration::from_secs(60);

    const NEAR: Duration = Duration::from_micros(300);

    fn join(queue: &BatchQueue, cost: u32, time: Duration) -> Option<Receiver<Answer>> {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
        static POLICY: Policy = Policy::new("queue", Algorithm::FixedWindow, &TIERS);
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        queue.join(&bucket, cost, Budget::start(time), NEAR)
    }

    /// The queue of a connection with as many calls in flight as possible.
    fn busy() -> BatchQueue {
        let queue = BatchQueue::default();
        for _ in 0..IN_FLIGHT_MIN {
            assert!(join(&queue, 1, SOON).is_none(), "it is sent at once");
        }
        queue
    }

    fn costs(batch: Option<Vec<Waiting>>) -> Vec<u32> {
        let batch = batch.into_iter().flatten();
        batch.map(|waiting| waiting.cost).collect()
    }

    #[test]
    fn checks_are_sent_in_order_and_in_batches_of_limited_size() {
        let queue = busy();
        let waiting: Vec<_> = (0..200).map(|cost| join(&queue, cost, SOON)).collect();
        assert!(waiting.iter().all(Option::is_some));
        let sent: Vec<_> = iter::from_fn(|| queue.leave()).collect();
        let sizes: Vec<_> = sent.iter().map(Vec::len).collect();
        assert_eq!(sizes, [64, 64, 36, 18, 16, 2]);
        let sent: Vec<_> = sent.into_iter().flatten().collect();
        assert_eq!(costs(Some(sent)), (0..200).collect::<Vec<_>>());
        assert!(join(&queue, 1, SOON).is_none(), "and one call has ended");
        assert!(join(&queue, 1, SOON).is_some());
    }

    #[test]
    fn more_calls_are_in_flight_to_a_server_that_is_far_away() {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
        static POLICY: Policy = Policy::new("far", Algorithm::FixedWindow, &TIERS);
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        for (millis, in_flight) in [(0, 4), (3, 4), (20, 20), (60, 60), (900, 64)] {
            let queue = BatchQueue::default();
            let join = || {
                let round_trip = Duration::from_millis(millis);
                queue.join(&bucket, 1, Budget::start(SOON), round_trip)
            };
            let sent = iter::from_fn(|| join().is_none().then_some(()));
            assert_eq!(sent.count(), in_flight, "{millis} ms");
        }
    }

    #[test]
    fn a_check_that_does_not_wait_any_more_is_not_sent() {
        let queue = busy();
        let patient = join(&queue, 1, SOON);
        drop(join(&queue, 2, SOON));
        let mut late = join(&queue, 3, Duration::ZERO).expect("in the queue");
        assert_eq!(costs(queue.leave()), [1]);
        assert!(late.try_recv().is_err());
        drop(patient);
    }

    #[test]
    fn a_check_that_finds_a_full_queue_is_sent_at_once() {
        let queue = busy();
        let waiting: Vec<_> = (0..WAITING_MAX).map(|_| join(&queue, 1, SOON)).collect();
        assert!(waiting.iter().all(Option::is_some));
        assert!(join(&queue, 1, SOON).is_none());
    }
}
