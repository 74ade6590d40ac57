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
