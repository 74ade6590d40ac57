//! The requests that wait for a bucket, in a queue for each.
//!
//! A request may wait for several buckets. Its ticket says where it stands in each of their queues,
//! so that of any two requests the same one is first in all of them, and no two wait for each other.
//! What a request holds is its place in these queues and nothing else: there is no lock or permit
//! that a future could take with it when it is dropped.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::store::Bucket;

/// How many requests may wait for one bucket.
const MAX_WAITERS_OF_BUCKET: usize = 100;

/// How many places there are in all queues together.
const MAX_WAITERS: usize = 10_000;

/// The queues of all buckets that requests wait for.
#[derive(Default)]
pub(super) struct WaitQueue {
    queues: Mutex<Queues>,
    /// How many places are taken. It is read without the lock by each check under a policy with
    /// `wait`, of which most find nothing that waits.
    len: AtomicUsize,
}

#[derive(Default)]
struct Queues {
    next_ticket: u64,
    of_buckets: HashMap<Bucket, VecDeque<Waiter>>,
}

/// One request in one bucket's queue.
struct Waiter {
    /// In the order of arrival.
    ticket: u64,
    cost: u32,
    /// Notified when the request becomes the first, and when its bucket may have room sooner.
    turn: Arc<Notify>,
}

/// The requests ahead of another one in the queues of its buckets, where there are any.
#[derive(Default)]
pub(super) struct Backlog(SmallVec<[Ahead; 1]>);

struct Ahead {
    bucket: Bucket,
    /// What they cost, in their order.
    costs: Vec<u32>,
    last_ticket: u64,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The costs that are ahead in this bucket's queue; `None` if there are none.
    pub(super) fn costs(&self, bucket: &Bucket) -> Option<&[u32]> {
        Some(&self.of(bucket)?.costs)
    }

    fn of(&self, bucket: &Bucket) -> Option<&Ahead> {
        self.0.iter().find(|ahead| ahead.bucket == *bucket)
    }
}

/// The outcome of an attempt to enter the queues.
pub(super) enum Entered<'a> {
    Place(Place<'a>),
    /// Other requests have entered since the backlog was read.
    Changed,
    Full,
}

impl WaitQueue {
    /// Whether requests wait for any of these buckets.
    pub(super) fn is_waited_for(&self, mut buckets: impl Iterator<Item = Bucket>) -> bool {
        if self.len.load(Ordering::Acquire) == 0 {
            return false;
        }
        let queues = self.lock();
        buckets.any(|bucket| queues.of_buckets.contains_key(&bucket))
    }

    /// The requests that wait for these buckets.
    pub(super) fn backlog(&self, buckets: impl Iterator<Item = Bucket>) -> Backlog {
        if self.len.load(Ordering::Acquire) == 0 {
            return Backlog::default();
        }
        self.lock().backlog(buckets, u64::MAX)
    }

    /// Enters the queues of these buckets, each with a cost, if the backlog still says what is ahead
    /// there. Where others wait less, or `is_last_try`, that does not matter.
    pub(super) fn enter(
        &self,
        charged: &[(Bucket, u32)],
        backlog: &Backlog,
        is_last_try: bool,
    ) -> Entered<'_> {
        let mut queues = self.lock();
        let has_grown = |(bucket, _): &(Bucket, u32)| {
            let last = queues.of_buckets.get(bucket).and_then(VecDeque::back);
            let known = backlog.of(bucket).map(|ahead| ahead.last_ticket);
            last.is_some_and(|last| known.is_none_or(|known| last.ticket > known))
        };
        if !is_last_try && charged.iter().any(has_grown) {
            return Entered::Changed;
        }
        let ticket = queues.next_ticket;
        queues.next_ticket += 1;
        let mut place = Place {
            queue: self,
            ticket,
            buckets: SmallVec::new(),
            turn: Arc::new(Notify::new()),
        };
        let has_entered = place.insert(&mut queues, charged);
        // Dropping a place takes the lock.
        drop(queues);
        if has_entered {
            Entered::Place(place)
        } else {
            Entered::Full
        }
    }

    /// Has the first request that waits for this bucket look at it again: it may have room sooner
    /// than was said.
    pub(super) fn wake_first(&self, bucket: &Bucket) {
        if self.len.load(Ordering::Acquire) == 0 {
            return;
        }
        let queues = self.lock();
        let waiters = queues.of_buckets.get(bucket);
        if let Some(first) = waiters.and_then(VecDeque::front) {
            first.turn.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// The requests with earlier tickets in the queues of these buckets.
    fn backlog(&self, buckets: impl Iterator<Item = Bucket>, ticket: u64) -> Backlog {
        let ahead = |bucket: Bucket| {
            let waiters = self.of_buckets.get(&bucket)?.iter();
            let waiters = waiters.take_while(|waiter| waiter.ticket < ticket);
            let last_ticket = waiters.clone().last()?.ticket;
            Some(Ahead {
                bucket,
                costs: waiters.map(|waiter| waiter.cost).collect(),
                last_ticket,
            })
        };
        Backlog(buckets.filter_map(ahead).collect())
    }
}

/// A request's place in the queues of the buckets that it waits for. Dropped, it is given up: also
/// when the client has gone away.
pub(super) struct Place<'a> {
    queue: &'a WaitQueue,
    ticket: u64,
    buckets: SmallVec<[Bucket; 1]>,
    turn: Arc<Notify>,
}

impl Place<'_> {
    /// Enters the queues of these buckets as well, ahead of all that came later. Returns false if
    /// one is full.
    pub(super) fn enter_also(&mut self, charged: &[(Bucket, u32)]) -> bool {
        let queue = self.queue;
        self.insert(&mut queue.lock(), charged)
    }

    fn insert(&mut self, queues: &mut Queues, charged: &[(Bucket, u32)]) -> bool {
        for &(bucket, cost) in charged {
            if self.buckets.contains(&bucket) {
                continue;
            }
            if self.queue.len.load(Ordering::Relaxed) >= MAX_WAITERS {
                return false;
            }
            let waiters = queues.of_buckets.entry(bucket).or_default();
            if waiters.len() >= MAX_WAITERS_OF_BUCKET {
                return false;
            }
            let at = waiters.partition_point(|waiter| waiter.ticket < self.ticket);
            let waiter = Waiter {
                ticket: self.ticket,
                cost,
                turn: self.turn.clone(),
            };
            waiters.insert(at, waiter);
            self.buckets.push(bucket);
            // Changed under the lock only.
            self.queue.len.fetch_add(1, Ordering::Release);
        }
        true
    }

    /// How many requests are ahead of this one, in the longest of its queues.
    pub(super) fn requests_ahead(&self) -> u32 {
        let backlog = self.backlog();
        let longest = backlog.0.iter().map(|ahead| ahead.costs.len()).max();
        longest.map_or(0, |requests| u32::try_from(requests).unwrap_or(u32::MAX))
    }

    /// The requests ahead of this one.
    pub(super) fn backlog(&self) -> Backlog {
        let queues = self.queue.lock();
        queues.backlog(self.buckets.iter().copied(), self.ticket)
    }

    /// Waits until the request is the first in all of its queues.
    pub(super) async fn first(&self) {
        while !self.is_first() {
            self.turn.notified().await;
        }
    }

    /// Waits until one of the buckets may have room sooner than was said.
    pub(super) async fn woken(&self) {
        self.turn.notified().await;
    }

    fn is_first(&self) -> bool {
        let queues = self.queue.lock();
        self.buckets.iter().all(|bucket| {
            let waiters = queues.of_buckets.get(bucket);
            let first = waiters.and_then(VecDeque::front);
            first.is_none_or(|first| first.ticket == self.ticket)
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queues = self.queue.lock();
        for &bucket in &self.buckets {
            let Entry::Occupied(mut waiters) = queues.of_buckets.entry(bucket) else {
                continue;
            };
            let Ok(at) = waiters
                .get()
                .binary_search_by_key(&self.ticket, |waiter| waiter.ticket)
            else {
                continue;
            };
            waiters.get_mut().remove(at);
            self.queue.len.fetch_sub(1, Ordering::Release);
            match waiters.get().front() {
                Some(next) if at == 0 => next.turn.notify_one(),
                Some(_) => {}
                None => drop(waiters.remove()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Waker},
    };

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    fn bucket(n: usize) -> Bucket {
        static POLICY: Policy = Policy::new(
            "queued",
            Algorithm::TokenBucket,
            &[Tier::new("default", Quota::per_minute(1))],
        );
        let client = ClientId::value(&n.to_string());
        Bucket::new(&POLICY, POLICY.default_tier(), client).expect("limited")
    }

    fn enter<'a>(queue: &'a WaitQueue, buckets: &[usize]) -> Option<Place<'a>> {
        let charged: Vec<_> = buckets.iter().map(|n| (bucket(*n), 1)).collect();
        match queue.enter(&charged, &Backlog::default(), true) {
            Entered::Place(place) => Some(place),
            Entered::Changed | Entered::Full => None,
        }
    }

    #[test]
    fn it_is_bounded_for_each_bucket_and_in_all_and_keeps_nothing_of_those_that_left() {
        let queue = WaitQueue::default();
        let mut places = Vec::new();
        for n in 0..200 {
            places.extend((0..=MAX_WAITERS_OF_BUCKET).filter_map(|_| enter(&queue, &[n])));
        }
        assert_eq!(places.len(), MAX_WAITERS);
        let of_the_first = queue.backlog([bucket(0)].into_iter());
        let costs = of_the_first.costs(&bucket(0)).map(<[u32]>::len);
        assert_eq!(costs, Some(MAX_WAITERS_OF_BUCKET));
        assert!(enter(&queue, &[1_000]).is_none());
        drop(places.pop());
        assert!(enter(&queue, &[1_000, 1_001]).is_none());
        assert!(enter(&queue, &[1_000]).is_some());
        drop(places);
        assert_eq!(queue.len.load(Ordering::Relaxed), 0);
        assert!(queue.lock().of_buckets.is_empty());
    }

    #[test]
    fn a_backlog_that_has_grown_is_read_again_and_one_that_has_shrunk_is_not() {
        let queue = WaitQueue::default();
        let charged = [(bucket(0), 1)];
        let enter = |backlog: &Backlog| queue.enter(&charged, backlog, false);
        let backlog = || queue.backlog([bucket(0)].into_iter());
        let nothing = backlog();
        assert!(nothing.is_empty());
        let Entered::Place(first) = enter(&nothing) else {
            panic!("it is as it was");
        };
        assert!(matches!(enter(&nothing), Entered::Changed));
        let one = backlog();
        assert_eq!(one.costs(&bucket(0)), Some(&[1][..]));
        let Entered::Place(second) = enter(&one) else {
            panic!("it is as it was");
        };
        assert!(matches!(enter(&one), Entered::Changed));
        let two = backlog();
        drop(second);
        drop(first);
        assert!(matches!(enter(&two), Entered::Place(_)));
    }

    #[test]
    fn the_first_in_all_queues_has_its_turn_and_hands_it_on_when_it_goes() {
        let queue = WaitQueue::default();
        let mut old = enter(&queue, &[0]).expect("room");
        let middle = enter(&queue, &[0, 1]).expect("room");
        let young = enter(&queue, &[1]).expect("room");
        assert!(has_its_turn(&old));
        assert!(!has_its_turn(&middle));
        assert!(!has_its_turn(&young));
        // It comes late to the other queue, and is ahead there too.
        assert!(old.enter_also(&[(bucket(1), 1)]));
        assert!(has_its_turn(&old));
        assert!(old.backlog().is_empty());
        assert!(middle.backlog().costs(&bucket(1)).is_some());

        let mut waiting = Box::pin(young.first());
        assert!(!is_ready(&mut waiting));
        drop(middle);
        assert!(!is_ready(&mut waiting));
        drop(old);
        assert!(is_ready(&mut waiting));
    }

    fn has_its_turn(place: &Place<'_>) -> bool {
        is_ready(&mut Box::pin(place.first()))
    }

    fn is_ready(future: &mut Pin<Box<impl Future>>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context).is_ready()
    }
}
