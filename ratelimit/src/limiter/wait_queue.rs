//! The requests that wait for a bucket, in a queue for each.
//!
//! A request that is over several limits is in the queue of the bucket which has room for it last. In
//! the queues of the others it would hold up requests that these have room for. Its ticket says where it
//! stands in each queue that it moves to, so that of any two requests the same one is first in all of
//! them, and no two wait for each other.
//!
//! No address fills a queue that others wait in as well: its share is a part of what is free, and
//! shrinks as the queue fills (Choudhury and Hahne, *Dynamic Queue Length Thresholds for Shared-Memory
//! Packet Switches*, 1998). An address that holds no place is let in as long as there is one.
//!
//! What a request holds is its place in these queues and nothing else: there is no lock or permit that a
//! future could take with it when it is dropped.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use smallvec::{SmallVec, smallvec};
use tokio::sync::Notify;

use crate::{client::ClientId, policy::Key, store::Bucket};

/// How many requests may wait for one bucket.
const MAX_WAITERS_OF_BUCKET: usize = 100;

/// How many places there are in all queues together.
const MAX_WAITERS: usize = 10_000;

/// An address holds at most one of so many places that are free in all queues: 100 if they are empty,
/// and 50 if they are half full.
const FREE_FOR_EACH: usize = 100;

/// An address holds at most one of so many places that are free in the queue of a bucket that any client
/// can have requests charged to, such as that of a global limit: 10 of an empty one.
const FREE_FOR_EACH_OF_BUCKET: usize = 10;

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
    /// How many requests of an address wait; none has 0.
    of_addresses: HashMap<ClientId, usize>,
}

/// A request that is to wait.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) bucket: Bucket,
    pub(super) cost: u32,
    /// The client by its address, whatever the bucket is keyed by.
    pub(super) address: ClientId,
}

/// One request in one bucket's queue.
struct Waiter {
    /// In the order of arrival.
    ticket: u64,
    cost: u32,
    address: ClientId,
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

    /// Enters the queue of a bucket, if the backlog still says what is ahead there. If it
    /// `is_last_try`, that does not matter.
    pub(super) fn enter(
        &self,
        waiting: Waiting,
        backlog: &Backlog,
        is_last_try: bool,
    ) -> Entered<'_> {
        let Waiting {
            bucket,
            cost,
            address,
        } = waiting;
        let mut queues = self.lock();
        if !is_last_try && queues.has_grown(&bucket, backlog) {
            return Entered::Changed;
        }
        let held = queues.of_addresses.get(&address).copied().unwrap_or(0);
        if held >= self.share() {
            return Entered::Full;
        }
        let ticket = queues.next_ticket;
        queues.next_ticket += 1;
        let turn = Arc::new(Notify::new());
        let waiter = Waiter {
            ticket,
            cost,
            address,
            turn: turn.clone(),
        };
        if !self.insert(&mut queues, bucket, waiter) {
            return Entered::Full;
        }
        queues.of_addresses.insert(address, held + 1);
        Entered::Place(Place {
            queue: self,
            ticket,
            address,
            charged: smallvec![(bucket, cost)],
            turn,
        })
    }

    /// Returns how many places of all queues an address may hold.
    fn share(&self) -> usize {
        let free = MAX_WAITERS.saturating_sub(self.len.load(Ordering::Relaxed));
        share_of(free, FREE_FOR_EACH)
    }

    /// Returns false if the queue is full, or the address holds as many places in it as it may.
    fn insert(&self, queues: &mut Queues, bucket: Bucket, waiter: Waiter) -> bool {
        if self.len.load(Ordering::Relaxed) >= MAX_WAITERS {
            return false;
        }
        let waiters = queues.of_buckets.entry(bucket).or_default();
        if waiters.len() >= MAX_WAITERS_OF_BUCKET
            || holds_its_share(waiters, waiter.address, &bucket)
        {
            return false;
        }
        let at = waiters.partition_point(|other| other.ticket < waiter.ticket);
        waiters.insert(at, waiter);
        // Changed under the lock only.
        self.len.fetch_add(1, Ordering::Release);
        true
    }

    fn remove(&self, queues: &mut Queues, bucket: Bucket, ticket: u64) {
        let Entry::Occupied(mut waiters) = queues.of_buckets.entry(bucket) else {
            return;
        };
        let Ok(at) = waiters
            .get()
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
        else {
            return;
        };
        waiters.get_mut().remove(at);
        self.len.fetch_sub(1, Ordering::Release);
        match waiters.get().front() {
            Some(next) if at == 0 => next.turn.notify_one(),
            Some(_) => {}
            None => drop(waiters.remove()),
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

    /// Gives up a request's place.
    fn leave(&self, place: &Place<'_>) {
        let mut queues = self.lock();
        for (bucket, _) in &place.charged {
            self.remove(&mut queues, *bucket, place.ticket);
        }
        if let Entry::Occupied(mut held) = queues.of_addresses.entry(place.address) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    /// Whether requests have entered a bucket's queue since the backlog was read.
    fn has_grown(&self, bucket: &Bucket, backlog: &Backlog) -> bool {
        let last = self.of_buckets.get(bucket).and_then(VecDeque::back);
        let known = backlog.of(bucket).map(|ahead| ahead.last_ticket);
        last.is_some_and(|last| known.is_none_or(|known| last.ticket > known))
    }

    /// Whether no request in a bucket's queue has an earlier ticket.
    fn is_first(&self, bucket: &Bucket, ticket: u64) -> bool {
        let first = self.of_buckets.get(bucket).and_then(VecDeque::front);
        first.is_none_or(|first| first.ticket >= ticket)
    }

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

/// A request's place in the queues of the buckets that it waits for. Dropped, it is given up: also when
/// the client has gone away.
pub(super) struct Place<'a> {
    queue: &'a WaitQueue,
    ticket: u64,
    address: ClientId,
    charged: SmallVec<[(Bucket, u32); 1]>,
    turn: Arc<Notify>,
}

impl Place<'_> {
    /// Moves to the queue of a bucket that has room for the request after this time at the earliest,
    /// ahead of all that came later. Returns false if that is full.
    ///
    /// A bucket that has room now is left to others, who may take what the request needs of it. If all
    /// did so that rejected it once, it might never be served. So a bucket is kept for it the first time
    /// that the other one takes no longer than the bucket takes to earn the cost of the request.
    pub(super) fn move_to(&mut self, bucket: Bucket, cost: u32, retry_after: Duration) -> bool {
        let mut queues = self.queue.lock();
        let is_new = self.charged.iter().all(|(other, _)| *other != bucket);
        let is_next = is_new && queues.is_first(&bucket, self.ticket);
        self.charged.retain(|(other, cost)| {
            let is_kept = *other == bucket || (is_next && retry_after <= earned_in(other, *cost));
            if !is_kept {
                self.queue.remove(&mut queues, *other, self.ticket);
            }
            is_kept
        });
        if !is_new {
            return true;
        }
        let waiter = Waiter {
            ticket: self.ticket,
            cost,
            address: self.address,
            turn: self.turn.clone(),
        };
        self.charged.push((bucket, cost));
        self.queue.insert(&mut queues, bucket, waiter)
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
        let buckets = self.charged.iter().map(|(bucket, _)| *bucket);
        queues.backlog(buckets, self.ticket)
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
        let mut buckets = self.charged.iter().map(|(bucket, _)| bucket);
        buckets.all(|bucket| queues.is_first(bucket, self.ticket))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.leave(self);
    }
}

/// Returns whether an address holds as many places in a bucket's queue as it may. A bucket that is an
/// address's, or an API key's or identity's, has one owner, who may use all of its queue. If addresses are
/// not known, nothing tells the requests of a bucket from each other.
fn holds_its_share(waiters: &VecDeque<Waiter>, address: ClientId, bucket: &Bucket) -> bool {
    let has_owner = matches!(bucket.policy().key(), Key::Ip | Key::Caller);
    if has_owner || bucket.client() == address {
        return false;
    }
    let free = MAX_WAITERS_OF_BUCKET.saturating_sub(waiters.len());
    let held = waiters.iter().filter(|waiter| waiter.address == address);
    held.count() >= share_of(free, FREE_FOR_EACH_OF_BUCKET)
}

/// Returns how many places an address may hold of which so many are free.
fn share_of(free: usize, free_for_each: usize) -> usize {
    free.div_ceil(free_for_each).max(1)
}

/// How long a bucket takes on average to earn this cost.
fn earned_in(bucket: &Bucket, cost: u32) -> Duration {
    let quota = bucket.quota();
    quota.per().saturating_mul(cost) / quota.limit().max(1)
}
