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

#[cfg(test)]
mod tests {
    use std::{
        net::Ipv4Addr,
        pin::Pin,
        task::{Context, Waker},
    };

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    /// Longer than a bucket takes to earn the cost of a request.
    const LATER: Duration = Duration::from_secs(61);

    /// The bucket of any client.
    const SHARED: usize = usize::MAX;

    fn bucket(n: usize) -> Bucket {
        static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_minute(1))];
        static POLICY: Policy = Policy::new("queued", Algorithm::TokenBucket, &TIERS);
        static GLOBAL: Policy =
            Policy::new("queued by all", Algorithm::TokenBucket, &TIERS).with_key(Key::Global);
        let (policy, client) = match n {
            SHARED => (&GLOBAL, ClientId::EVERYBODY),
            n => (&POLICY, ClientId::value(&n.to_string())),
        };
        Bucket::new(policy, policy.default_tier(), client).expect("limited")
    }

    fn address(n: usize) -> ClientId {
        let n = u32::try_from(n).expect("an address");
        ClientId::ip(Ipv4Addr::from_bits(n).into())
    }

    fn waiting(bucket: Bucket, address: ClientId) -> Waiting {
        Waiting {
            bucket,
            cost: 1,
            address,
        }
    }

    /// A request from an address, in the queue of the bucket with this number.
    fn enter_from(queue: &WaitQueue, n: usize, address: ClientId) -> Option<Place<'_>> {
        match queue.enter(waiting(bucket(n), address), &Backlog::default(), true) {
            Entered::Place(place) => Some(place),
            Entered::Changed | Entered::Full => None,
        }
    }

    /// A request that the bucket is of alone.
    fn enter(queue: &WaitQueue, n: usize) -> Option<Place<'_>> {
        enter_from(queue, n, bucket(n).client())
    }

    fn assert_empty(queue: &WaitQueue) {
        assert_eq!(queue.len.load(Ordering::Relaxed), 0);
        let queues = queue.lock();
        assert!(queues.of_buckets.is_empty() && queues.of_addresses.is_empty());
    }

    #[test]
    fn it_is_bounded_for_each_bucket_and_in_all_and_keeps_nothing_of_those_that_left() {
        let queue = WaitQueue::default();
        let mut places = Vec::new();
        places.extend((0..=MAX_WAITERS_OF_BUCKET).filter_map(|_| enter(&queue, 0)));
        assert_eq!(places.len(), MAX_WAITERS_OF_BUCKET);
        let of_the_first = queue.backlog([bucket(0)].into_iter());
        let costs = of_the_first.costs(&bucket(0)).map(<[u32]>::len);
        assert_eq!(costs, Some(MAX_WAITERS_OF_BUCKET));

        places.extend((1..2 * MAX_WAITERS).map_while(|n| enter(&queue, n)));
        assert_eq!(places.len(), MAX_WAITERS);
        assert!(enter(&queue, 2 * MAX_WAITERS).is_none());
        let mut last = places.pop().expect("a place");
        // Not one more, though there is no place left.
        assert!(last.move_to(bucket(2 * MAX_WAITERS), 1, LATER));
        assert!(!last.move_to(bucket(0), 1, LATER));
        assert!(
            enter(&queue, 2 * MAX_WAITERS).is_some(),
            "it is in no queue"
        );
        drop(last);
        drop(places);
        assert_empty(&queue);
    }

    /// Each comes as often as it can, and to as many buckets as it likes: with the API keys that it has, or
    /// under many policies.
    #[test]
    fn a_flood_of_addresses_leaves_places_to_others() {
        let queue = WaitQueue::default();
        let mut places = Vec::new();
        for flooding in 0..500 {
            let buckets = (0..).map(|n| 1_000 * flooding + n);
            let entered = buckets.map_while(|n| enter_from(&queue, n, address(flooding)));
            places.push(entered.collect::<Vec<_>>());
            let most = places[0].len();
            assert_eq!(most, MAX_WAITERS / FREE_FOR_EACH);
            let left = MAX_WAITERS - queue.len.load(Ordering::Relaxed);
            let last = places[flooding].len();
            assert!(last >= left / FREE_FOR_EACH, "{flooding}: {last} {left}");
            // In a queue of its own, and in one that the flood waits in as well.
            for n in [1_000_000, 1_000 * flooding] {
                let newcomer = enter_from(&queue, n, address(1_000));
                assert!(newcomer.is_some(), "{flooding} addresses keep it out");
            }
        }
        // An address that has left may come again.
        places.truncate(1);
        assert!(enter_from(&queue, 1, address(1)).is_some());
        drop(places);
        assert_empty(&queue);
    }

    #[test]
    fn no_address_has_the_queue_of_a_bucket_that_others_use_for_itself() {
        let queue = WaitQueue::default();
        let mut places = Vec::new();
        let all = MAX_WAITERS_OF_BUCKET / FREE_FOR_EACH_OF_BUCKET;
        for flooding in 0..20 {
            let before = places.len();
            places.extend((0..).map_while(|_| enter_from(&queue, SHARED, address(flooding))));
            let entered = places.len() - before;
            assert!((1..=all).contains(&entered), "{flooding}: {entered}");
            assert!(enter_from(&queue, SHARED, address(1_000)).is_some());
        }
        assert!(places.len() > MAX_WAITERS_OF_BUCKET * 3 / 4);
        let unknown = enter_from(&queue, SHARED, bucket(SHARED).client());
        assert!(unknown.is_some(), "it may use all of the queue");
        drop(unknown);
        // One that waits elsewhere moves there as one that comes.
        let mut elsewhere = enter_from(&queue, 1, address(0)).expect("room");
        assert!(!elsewhere.move_to(bucket(SHARED), 1, LATER));
        drop(elsewhere);
        drop(places);
        assert_empty(&queue);
    }

    #[test]
    fn a_backlog_that_has_grown_is_read_again_and_one_that_has_shrunk_is_not() {
        let queue = WaitQueue::default();
        let enter = |backlog: &Backlog| queue.enter(waiting(bucket(0), address(0)), backlog, false);
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
    fn the_first_in_a_queue_has_its_turn_and_hands_it_on_when_it_goes() {
        let queue = WaitQueue::default();
        let mut old = enter(&queue, 0).expect("room");
        let middle = enter(&queue, 0).expect("room");
        let young = enter(&queue, 1).expect("room");
        assert!(has_its_turn(&old));
        assert!(!has_its_turn(&middle));
        assert!(has_its_turn(&young));
        // It comes late to the other queue, and is ahead there.
        let mut waiting = Box::pin(middle.first());
        assert!(!is_ready(&mut waiting));
        assert!(old.move_to(bucket(1), 1, LATER));
        assert!(is_ready(&mut waiting));
        assert!(has_its_turn(&old));
        assert!(old.backlog().is_empty());
        assert!(young.backlog().costs(&bucket(1)).is_some());

        let mut waiting = Box::pin(young.first());
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
