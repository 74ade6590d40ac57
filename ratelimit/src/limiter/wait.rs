//! Requests that wait for their turn instead of being turned away.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    RateLimiter,
    account::{Account, Accounts, Verdict},
};
use crate::{clock::micros, store::Bucket};

/// How many requests may wait for one bucket.
const MOST_FOR_A_BUCKET: usize = 100;

/// How many requests may wait in all.
const MOST: usize = 10_000;

/// The requests that wait, in a line for each bucket.
#[derive(Default)]
pub(super) struct Queue(Mutex<Lines>);

#[derive(Default)]
struct Lines {
    waiting: usize,
    lines: HashMap<Bucket, Line>,
}

struct Line {
    waiting: usize,
    /// Held by the request whose turn it is; those behind it get it in the order they came.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// A request's place in the queue, which is free again when it is dropped: also when the client has
/// gone away.
struct Place<'a> {
    queue: &'a Queue,
    bucket: Bucket,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Queue {
    /// A place at the end of the bucket's line; `None` if it is too long.
    fn enter(&self, bucket: Bucket) -> Option<Place<'_>> {
        let mut queue = self.lock();
        if queue.waiting >= MOST {
            return None;
        }
        let line = queue.lines.entry(bucket).or_insert_with(|| Line {
            waiting: 0,
            turn: Arc::default(),
        });
        if line.waiting >= MOST_FOR_A_BUCKET {
            return None;
        }
        line.waiting += 1;
        let turn = line.turn.clone();
        queue.waiting += 1;
        Some(Place {
            queue: self,
            bucket,
            turn,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.waiting -= 1;
        if let Entry::Occupied(mut line) = queue.lines.entry(self.bucket) {
            line.get_mut().waiting -= 1;
            if line.get().waiting == 0 {
                line.remove();
            }
        }
    }
}

impl RateLimiter {
    /// Decides again about a request that is over a limit, as soon as it may be admitted, if all
    /// limits that it is over let it wait for so long.
    pub(super) async fn wait(&self, accounts: &mut Accounts) -> Verdict {
        let clock = &self.0.clock;
        let Some(patience) = accounts.patience() else {
            return Verdict::Limited;
        };
        let deadline = clock.now_micros().saturating_add(micros(patience));
        let Some((bucket, retry_after)) = longest(accounts) else {
            return Verdict::Limited;
        };
        if retry_after > patience {
            return Verdict::Limited;
        }
        let Some(place) = self.0.queue.enter(bucket) else {
            return Verdict::Limited;
        };
        let _turn = tokio::select! {
            biased;
            turn = place.turn.lock() => turn,
            () = clock.sleep(patience) => return Verdict::Limited,
        };
        loop {
            let verdict = self.decide(accounts, self.deadline()).await;
            let (Some(_), Some((_, retry_after))) = (accounts.patience(), longest(accounts)) else {
                return verdict;
            };
            if clock.now_micros().saturating_add(micros(retry_after)) > deadline {
                return verdict;
            }
            clock.sleep(retry_after).await;
        }
    }
}

/// The bucket that holds the request up longest, and how long; `None` where it is never admitted.
fn longest(accounts: &Accounts) -> Option<(Bucket, Duration)> {
    let denying = accounts.iter().filter(|account| account.denies());
    let holds_up = |account: &Account| Some((account.bucket()?, account.decision?.retry_after?));
    denying
        .map(holds_up)
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .max_by_key(|(_, retry_after)| *retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    #[test]
    fn it_is_bounded_for_each_bucket_and_in_all_and_forgets_who_has_gone() {
        static POLICY: Policy = Policy::new(
            "queued",
            Algorithm::TokenBucket,
            &[Tier::new("default", Quota::per_minute(1))],
        );
        let bucket = |n: usize| {
            let client = ClientId::value(&n.to_string());
            Bucket::new(&POLICY, POLICY.default_tier(), client).expect("limited")
        };
        let queue = Queue::default();
        let mut places = Vec::new();
        for n in 0..200 {
            places.extend((0..=MOST_FOR_A_BUCKET).filter_map(|_| queue.enter(bucket(n))));
        }
        assert_eq!(places.len(), MOST);
        let of_the_first = places.iter().filter(|place| place.bucket == bucket(0));
        assert_eq!(of_the_first.count(), MOST_FOR_A_BUCKET);
        drop(places.pop());
        assert!(queue.enter(bucket(1_000)).is_some());
        drop(places);
        assert_eq!(queue.lock().waiting, 0);
        assert!(queue.lock().lines.is_empty());
    }
}
