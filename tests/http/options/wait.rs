//! `wait`: a request that will be allowed in time is held until then, first come, first served.

use std::{
    cell::RefCell,
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    http::{Request, request::Parts},
    routing::get as route,
};
use futures_util::FutureExt;
use ratelimit::{
    Algorithm, Bucket, Caller, ClientId, Key, ManualClock, MemoryStore, Policy, Quota,
    RateLimitStatus, RateLimiter, Tier, rate_limit,
};
use ratelimit_tests::{App, Random, RedisServer, eventually};
use tokio::task::JoinHandle;

use super::{get, left};
use crate::limiters;

#[rate_limit(limit = 1, per = "200ms", wait = "10s")]
async fn patient() {}

#[rate_limit(limit = 1, per = "1m", wait = "10s")]
async fn not_so_patient() {}

#[rate_limit(limit = 1, per = "10s", wait = "10s")]
#[rate_limit(limit = 1, per = "5s")]
async fn one_of_them_does_not_wait() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/patient", route(patient))
        .route("/not", route(not_so_patient))
        .route("/one", route(one_of_them_does_not_wait))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn a_request_is_held_until_it_is_admitted() {
    let builders = [
        RateLimiter::builder(),
        RateLimiter::builder().store(RedisServer::shared().store().await),
    ];
    for builder in builders {
        let app = App::start(router(builder.build().expect("nothing is wrong with it"))).await;
        let begin = Instant::now();
        for _ in 0..3 {
            assert_eq!(app.status("/patient").await, 200);
        }
        // Less a little, as Redis goes by another clock.
        assert!(
            begin.elapsed() > Duration::from_millis(390),
            "nothing was held"
        );
    }
}

#[tokio::test]
async fn a_request_that_would_wait_too_long_is_turned_away_at_once() {
    for (limiter, _) in limiters("wait_too_long").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(get(&app, "/not").await, left(200, "0"));
        assert_eq!(get(&app, "/not").await, left(429, "0"));
        assert_eq!(get(&app, "/one").await, left(200, "0"));
        assert_eq!(get(&app, "/one").await, left(429, "0"));
    }
}

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::TokenBucket,
    Algorithm::SlidingWindow,
    Algorithm::FixedWindow,
];

const fn one_per(seconds: u64) -> Quota {
    Quota::new(1, Duration::from_secs(seconds))
}

/// A policy of each algorithm, whose cost is in the request.
const fn policies(name: &'static str, tiers: &'static [Tier], wait: Duration) -> [Policy; 3] {
    [
        Policy::new(name, ALGORITHMS[0], tiers)
            .with_wait(wait)
            .with_cost_of(cost_of),
        Policy::new(name, ALGORITHMS[1], tiers)
            .with_wait(wait)
            .with_cost_of(cost_of),
        Policy::new(name, ALGORITHMS[2], tiers)
            .with_wait(wait)
            .with_cost_of(cost_of),
    ]
}

const HOUR: Duration = Duration::from_secs(3_600);

fn cost_of(parts: &Parts) -> u32 {
    parts.extensions.get::<u32>().copied().unwrap_or(1)
}

fn request(cost: u32) -> &'static Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions.insert(cost);
    Box::leak(Box::new(parts))
}

fn caller(cost: u32) -> Caller<'static> {
    Caller::new(request(cost)).with_peer(Some([127, 0, 0, 1].into()))
}

/// A limiter in memory, and its clock.
fn in_memory() -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let builder = RateLimiter::builder().store(store);
    (builder.build().expect("nothing is wrong with it"), clock)
}

type Check = Pin<Box<dyn Future<Output = RateLimitStatus> + Send>>;

fn check(limiter: &RateLimiter, policy: &'static Policy, cost: u32) -> Check {
    check_all(limiter, &[policy], cost)
}

fn check_all(limiter: &RateLimiter, policies: &[&'static Policy], cost: u32) -> Check {
    let (limiter, policies) = (limiter.clone(), policies.to_vec());
    Box::pin(async move { limiter.check_all(&policies, caller(cost)).await })
}

/// Polls it often enough for all that need not wait for time.
fn settle(check: &mut Check) -> Option<RateLimitStatus> {
    (0..32).find_map(|_| check.now_or_never())
}

#[track_caller]
fn assert_waits(check: &mut Check) {
    assert!(settle(check).is_none(), "it does not wait");
}

#[track_caller]
fn assert_allowed(check: &mut Check) {
    let status = settle(check).expect("it still waits");
    assert!(status.is_allowed(), "it is rejected: {status:?}");
}

#[track_caller]
fn assert_rejected(check: &mut Check, retry_after: Duration) {
    let status = settle(check).expect("it waits");
    assert!(!status.is_allowed(), "it is allowed");
    assert_eq!(status.retry_after(), Some(retry_after));
}

#[test]
fn a_new_request_queues_behind_those_that_wait() {
    static POLICIES: [Policy; 3] = policies("queue", &[Tier::new("default", one_per(10))], HOUR);
    let ten = Duration::from_secs(10);
    for policy in &POLICIES {
        let (limiter, clock) = in_memory();
        assert_allowed(&mut check(&limiter, policy, 1));
        let mut waiters: Vec<Check> = Vec::new();
        for _ in 0..5 {
            let mut waiter = check(&limiter, policy, 1);
            assert_waits(&mut waiter);
            waiters.push(waiter);
        }
        for _ in 0..20 {
            clock.advance(ten);
            // It arrives before any of those that wait has noticed that one is allowed.
            let mut newcomer = check(&limiter, policy, 1);
            assert_waits(&mut newcomer);
            waiters.push(newcomer);
            let mut first = waiters.remove(0);
            assert_allowed(&mut first);
            for waiter in &mut waiters {
                assert_waits(waiter);
            }
        }
    }
}

#[tokio::test]
async fn requests_are_served_in_the_order_in_which_they_came() {
    static POLICY: Policy = Policy::new(
        "in_order",
        Algorithm::TokenBucket,
        &[Tier::new(
            "default",
            Quota::new(1, Duration::from_millis(20)),
        )],
    )
    .with_wait(Duration::from_secs(10));
    let limiter = RateLimiter::default();
    let served = RefCell::new(Vec::new());
    let requests = (0..20_u64).map(|n| {
        let (limiter, served) = (limiter.clone(), &served);
        async move {
            // Some come while others wait, at any time.
            tokio::time::sleep(Duration::from_millis(n * 7)).await;
            let status = limiter.check(&POLICY, caller(1)).await;
            assert!(status.is_allowed(), "{n}");
            served.borrow_mut().push(n);
        }
    });
    futures_util::future::join_all(requests).await;
    assert!(served.borrow().is_sorted(), "{served:?}");
}

/// With Redis, a request is queued when the answer to its check has come: the time that a request is
/// told that will not wait says when that is.
#[tokio::test]
async fn a_new_request_queues_in_each_store() {
    static TIERS: &[Tier] = &[Tier::new("default", one_per(10))];
    static PATIENT: [Policy; 3] = policies("each_store", TIERS, HOUR);
    static IMPATIENT: [Policy; 3] = policies("each_store", TIERS, Duration::from_millis(1));
    let ten = Duration::from_secs(10);
    for (patient, impatient) in PATIENT.iter().zip(&IMPATIENT) {
        for (limiter, clock) in limiters("queue_in_each_store").await {
            let served = Arc::new(Mutex::new(Vec::new()));
            let send = |n| {
                let (check, served) = (check(&limiter, patient, 1), served.clone());
                tokio::spawn(async move {
                    assert!(check.await.is_allowed());
                    served.lock().expect("no panic").push(n);
                })
            };
            send(0).await.expect("no panic");
            let waiter = send(1);
            eventually("the queue", || async {
                let status = check(&limiter, impatient, 1).await;
                status.retry_after() == Some(2 * ten)
            })
            .await;
            // On one thread it comes first, and would find that the limit allows one.
            clock.advance(ten);
            let newcomer = send(2);
            serve_all(&clock, ten, &[waiter, newcomer]).await;
            assert_eq!(*served.lock().expect("no panic"), [0, 1, 2]);
        }
    }
}

/// Moves the clock until all are served. (What was asked before it was moved was answered for the time
/// before.)
async fn serve_all<T>(clock: &ManualClock, step: Duration, requests: &[JoinHandle<T>]) {
    eventually("the end of the queue", || async {
        clock.advance(step);
        requests.iter().all(JoinHandle::is_finished)
    })
    .await;
}

#[test]
fn a_request_that_cannot_be_served_in_time_is_rejected_at_once() {
    static TIERS: &[Tier] = &[Tier::new("default", one_per(1))];
    static POLICIES: [Policy; 3] = policies("place_counts", TIERS, Duration::from_secs(2));
    let second = Duration::from_secs(1);
    for policy in &POLICIES {
        let (limiter, clock) = in_memory();
        assert_allowed(&mut check(&limiter, policy, 1));
        let mut waiters = [check(&limiter, policy, 1), check(&limiter, policy, 1)];
        waiters.iter_mut().for_each(assert_waits);
        for _ in 0..17 {
            assert_rejected(&mut check(&limiter, policy, 1), 3 * second);
        }
        // What `Retry-After` says is true if nobody else comes.
        for waiter in &mut waiters {
            clock.advance(second);
            assert_allowed(waiter);
        }
        clock.advance(second);
        assert_allowed(&mut check(&limiter, policy, 1));
    }
}

#[test]
fn a_client_that_goes_away_makes_the_queue_shorter() {
    static TIERS: &[Tier] = &[Tier::new("default", one_per(1))];
    static POLICIES: [Policy; 3] = policies("gone", TIERS, Duration::from_secs(3));
    let second = Duration::from_secs(1);
    for policy in &POLICIES {
        let (limiter, clock) = in_memory();
        assert_allowed(&mut check(&limiter, policy, 1));
        let mut waiters: Vec<Check> = (0..3).map(|_| check(&limiter, policy, 1)).collect();
        waiters.iter_mut().for_each(assert_waits);
        assert_rejected(&mut check(&limiter, policy, 1), 4 * second);
        // The one in the middle, and then the one whose turn is next.
        for gone in [1, 0] {
            drop(waiters.remove(gone));
            let mut newcomer = check(&limiter, policy, 1);
            assert_waits(&mut newcomer);
            waiters.push(newcomer);
            assert_rejected(&mut check(&limiter, policy, 1), 4 * second);
        }
        for mut waiter in waiters {
            clock.advance(second);
            assert_allowed(&mut waiter);
        }
    }
}

/// A request from one of many addresses.
fn check_from(limiter: &RateLimiter, policy: &'static Policy, address: u32) -> Check {
    let limiter = limiter.clone();
    let caller = caller(1).with_peer(Some(Ipv4Addr::from_bits(address).into()));
    Box::pin(async move { limiter.check(policy, caller).await })
}

/// Has requests from an address queue until one is rejected; how many do, and what that one is told.
fn fill(
    limiter: &RateLimiter,
    policy: &'static Policy,
    address: u32,
) -> (Vec<Check>, Option<Duration>) {
    let mut queue = Vec::new();
    loop {
        let mut check = check_from(limiter, policy, address);
        match (&mut check).now_or_never() {
            None => queue.push(check),
            Some(status) if status.is_allowed() => {}
            Some(status) => return (queue, status.retry_after()),
        }
    }
}

#[test]
fn a_flood_of_several_addresses_keeps_no_other_out_of_the_queue() {
    static TIERS: &[Tier] = &[Tier::new("default", one_per(10))];
    static BY_ADDRESS: [Policy; 3] = policies("flooded_queue", TIERS, HOUR);
    static GLOBAL: Policy = Policy::new("flooded_queue_of_all", ALGORITHMS[0], TIERS)
        .with_wait(HOUR)
        .with_key(Key::Global);
    const NEWCOMER: u32 = 1_000_000;
    for policy in &BY_ADDRESS {
        let (limiter, clock) = in_memory();
        for _ in 0..2 {
            let mut flood = Vec::new();
            for address in 0..140 {
                let (queue, retry_after) = fill(&limiter, policy, address);
                assert!((10..=100).contains(&queue.len()), "{}", queue.len());
                // As if it had been in the queue.
                let turns = u32::try_from(queue.len()).expect("few") + 1;
                assert_eq!(retry_after, Some(turns * Duration::from_secs(10)));
                flood.extend(queue);
                let (more, _) = fill(&limiter, &GLOBAL, address);
                flood.extend(more);
            }
            for policy in [policy, &GLOBAL] {
                let mut newcomers = [0, 1].map(|n| check_from(&limiter, policy, NEWCOMER + n));
                let [first, second] = &mut newcomers;
                if matches!(policy.key(), Key::Ip) {
                    assert_allowed(first);
                    *first = check_from(&limiter, policy, NEWCOMER);
                    assert_allowed(second);
                    *second = check_from(&limiter, policy, NEWCOMER + 1);
                }
                assert_waits(first);
                assert_waits(second);
            }
            // All that wait go away, and leave nothing behind.
            drop(flood);
            clock.advance(HOUR);
        }
        let (queue, _) = fill(&limiter, policy, NEWCOMER);
        assert_eq!(queue.len(), 100);
    }
}

#[test]
fn the_queue_is_bounded_and_who_goes_away_gives_its_place_back() {
    static POLICIES: [Policy; 3] = policies("bounded", &[Tier::new("default", one_per(10))], HOUR);
    for policy in &POLICIES {
        let (limiter, clock) = in_memory();
        assert_allowed(&mut check(&limiter, policy, 1));
        for _ in 0..2 {
            let mut queue: Vec<_> = (0..100).map(|_| check(&limiter, policy, 1)).collect();
            queue.iter_mut().for_each(assert_waits);
            let retry_after = Duration::from_secs(1_010);
            assert_rejected(&mut check(&limiter, policy, 1), retry_after);
            drop(queue);
        }
        let mut queue: Vec<_> = (0..3).map(|_| check(&limiter, policy, 1)).collect();
        queue.iter_mut().for_each(assert_waits);
        for n in 0..3 {
            clock.advance(Duration::from_secs(10));
            for waiter in queue.iter_mut().skip(n + 1) {
                assert_waits(waiter);
            }
            assert_allowed(&mut queue[n]);
        }
    }
}

/// Requests with different costs and different patience, which come at any time. None that was held
/// is rejected, each is served in its turn, and what `Retry-After` says of the others is exact.
#[test]
fn what_is_held_is_served_in_time_and_what_is_rejected_is_told_when() {
    static TIERS: &[Tier] = &[Tier::new(
        "default",
        Quota::new(5, Duration::from_secs(1)).with_burst(5),
    )];
    static PATIENT: [Policy; 3] = policies("mixed", TIERS, Duration::from_secs(3));
    static IMPATIENT: [Policy; 3] = policies("mixed", TIERS, Duration::from_millis(700));
    /// All times are multiples of it.
    const STEP: Duration = Duration::from_millis(20);

    for (patient, impatient) in PATIENT.iter().zip(&IMPATIENT) {
        let mut exact = 0;
        for seed in 1..=200 {
            let mut random = Random::new(seed);
            let (limiter, clock) = in_memory();
            let mut waiters: Vec<Check> = Vec::new();
            for _ in 0..random.below(40) {
                if random.below(4) > 0 {
                    clock.advance(STEP);
                    serve(&mut waiters);
                }
                let policy = if random.below(2) == 0 {
                    patient
                } else {
                    impatient
                };
                let cost = 1 + u32::try_from(random.below(5)).expect("small");
                let mut newcomer = check(&limiter, policy, cost);
                match settle(&mut newcomer) {
                    None => waiters.push(newcomer),
                    Some(status) if status.is_allowed() => assert!(waiters.is_empty()),
                    Some(_) => {}
                }
                if !waiters.is_empty() && random.below(8) == 0 {
                    // One of their clients goes away.
                    let gone = random.below(waiters.len() as u64);
                    drop(waiters.remove(usize::try_from(gone).expect("small")));
                }
            }
            let cost = 1 + u32::try_from(random.below(5)).expect("small");
            let Some(status) = settle(&mut check(&limiter, impatient, cost)) else {
                continue;
            };
            let Some(retry_after) = status.retry_after() else {
                continue;
            };
            exact += 1;
            let mut passed = Duration::ZERO;
            while passed + STEP < retry_after {
                clock.advance(STEP);
                passed += STEP;
                serve(&mut waiters);
            }
            let mut too_early = check(&limiter, impatient, cost);
            let early = settle(&mut too_early);
            assert!(
                early.is_none_or(|status| !status.is_allowed()),
                "{:?}, seed {seed}: allowed before {retry_after:?}",
                patient.algorithm()
            );
            drop(too_early);
            clock.advance(retry_after.saturating_sub(passed));
            serve(&mut waiters);
            assert!(waiters.is_empty(), "seed {seed}");
            let on_time = settle(&mut check(&limiter, impatient, cost));
            assert!(
                on_time.is_some_and(|status| status.is_allowed()),
                "{:?}, seed {seed}: not allowed after {retry_after:?}",
                patient.algorithm()
            );
        }
        assert!(exact > 50, "{:?}: {exact}", patient.algorithm());
    }
}

/// Those whose turn has come are allowed, and they are the first ones.
fn serve(waiters: &mut Vec<Check>) {
    // The last ones first: they must not be served for having been polled first.
    for waiter in waiters.iter_mut().skip(1).rev() {
        assert_waits(waiter);
    }
    while let Some(first) = waiters.first_mut() {
        match settle(first) {
            None => break,
            Some(status) => assert!(status.is_allowed(), "held, and then rejected: {status:?}"),
        }
        drop(waiters.remove(0));
    }
}

#[test]
fn limits_that_are_not_waited_for_hold_nobody_up() {
    static GLOBAL: Policy = Policy::new(
        "global",
        Algorithm::TokenBucket,
        &[Tier::new("default", one_per(10))],
    )
    .with_key(ratelimit::Key::Global)
    .with_wait(HOUR);
    static CLIENT: Policy = Policy::new(
        "client",
        Algorithm::TokenBucket,
        &[Tier::new("default", Quota::per_hour(3))],
    )
    .with_wait(HOUR);
    static STRICT: Policy = Policy::new(
        "strict",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_hour(1))],
    );
    let (limiter, clock) = in_memory();
    assert_allowed(&mut check_all(&limiter, &[&GLOBAL, &CLIENT], 1));
    let mut waiter = check_all(&limiter, &[&GLOBAL, &CLIENT], 1);
    assert_waits(&mut waiter);
    // It does not wait for the client's own bucket, which others may use.
    assert_allowed(&mut check(&limiter, &CLIENT, 1));
    // A limit without `wait` rejects at once also a request that would have to queue for another.
    assert_allowed(&mut check(&limiter, &STRICT, 1));
    let rejected = settle(&mut check_all(&limiter, &[&GLOBAL, &STRICT], 1));
    assert!(rejected.is_some_and(|status| !status.is_allowed()));

    // Now the client's bucket holds one more, and the waiter gets it.
    clock.advance(Duration::from_secs(10));
    let mut newcomer = check(&limiter, &GLOBAL, 1);
    assert_waits(&mut newcomer);
    assert_allowed(&mut waiter);
    assert_waits(&mut newcomer);
}

/// Two requests that wait for two buckets, each of them first in one queue, do not wait for each
/// other.
#[test]
fn the_older_of_two_requests_is_served_first_in_all_queues() {
    static A: Policy = Policy::new(
        "a",
        Algorithm::FixedWindow,
        &[Tier::new("default", one_per(10))],
    )
    .with_wait(HOUR);
    static B: Policy = Policy::new(
        "b",
        Algorithm::FixedWindow,
        &[Tier::new("default", one_per(15))],
    )
    .with_wait(HOUR);
    let (limiter, clock) = in_memory();
    let seconds = Duration::from_secs;
    assert_allowed(&mut check(&limiter, &A, 1));
    let mut first = check_all(&limiter, &[&A, &B], 1);
    assert_waits(&mut first);
    assert_allowed(&mut check(&limiter, &B, 1));
    let mut second = check_all(&limiter, &[&B, &A], 1);
    assert_waits(&mut second);
    clock.advance(seconds(10));
    // `a` would allow it now, `b` does not yet.
    assert_waits(&mut first);
    assert_waits(&mut second);
    clock.advance(seconds(5));
    assert_waits(&mut second);
    assert_allowed(&mut first);
    clock.advance(seconds(15));
    assert_allowed(&mut second);
}

/// A request that a second limit holds up while it waits for the first queues for that one as well.
#[test]
fn a_request_queues_for_each_limit_that_holds_it_up() {
    static TIERS: &[Tier] = &[Tier::new("default", one_per(10))];
    static FIRST: Policy = Policy::new("first", Algorithm::FixedWindow, TIERS).with_wait(HOUR);
    static SECOND: Policy = Policy::new("second", Algorithm::FixedWindow, TIERS).with_wait(HOUR);
    let (limiter, clock) = in_memory();
    let seconds = Duration::from_secs;
    assert_allowed(&mut check(&limiter, &FIRST, 1));
    let mut waiter = check_all(&limiter, &[&FIRST, &SECOND], 1);
    assert_waits(&mut waiter);
    clock.advance(seconds(9));
    assert_allowed(&mut check(&limiter, &SECOND, 1));
    clock.advance(seconds(1));
    assert_waits(&mut waiter);
    clock.advance(seconds(9));
    let mut newcomer = check(&limiter, &SECOND, 1);
    assert_waits(&mut newcomer);
    assert_allowed(&mut waiter);
    clock.advance(seconds(10));
    assert_allowed(&mut newcomer);
}

#[test]
fn a_limit_in_shadow_mode_holds_nobody_up() {
    static SHADOW: Policy = Policy::new(
        "tried",
        Algorithm::FixedWindow,
        &[Tier::new("default", one_per(60))],
    )
    .with_wait(HOUR)
    .with_shadow();
    static ENFORCED: Policy = Policy::new(
        "enforced",
        Algorithm::FixedWindow,
        &[Tier::new("default", one_per(10))],
    )
    .with_wait(HOUR);
    let (limiter, clock) = in_memory();
    for _ in 0..3 {
        assert_allowed(&mut check(&limiter, &SHADOW, 1));
    }
    assert_allowed(&mut check_all(&limiter, &[&SHADOW, &ENFORCED], 1));
    let mut waiters = [(); 2].map(|()| check_all(&limiter, &[&SHADOW, &ENFORCED], 1));
    waiters.iter_mut().for_each(assert_waits);
    assert_allowed(&mut check(&limiter, &SHADOW, 1));
    for waiter in &mut waiters {
        clock.advance(Duration::from_secs(10));
        assert_allowed(waiter);
    }
}

#[test]
fn what_is_given_back_goes_to_the_request_that_waits() {
    static POLICY: Policy = Policy::new(
        "given_back",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_hour(1))],
    )
    .with_wait(HOUR);
    let (limiter, _) = in_memory();
    let first = settle(&mut check(&limiter, &POLICY, 1)).expect("at once");
    assert!(first.is_allowed());
    let mut waiters = [check(&limiter, &POLICY, 1), check(&limiter, &POLICY, 1)];
    assert_waits(&mut waiters[0]);
    let given_back = first.refund().now_or_never();
    assert!(given_back.is_some());
    assert_allowed(&mut waiters[0]);
    // The next one would have to wait for longer than an hour from now on, after this one.
    assert_waits(&mut waiters[1]);
    let client: ClientId = "127.0.0.1".parse().expect("a client");
    let bucket = Bucket::new(&POLICY, POLICY.default_tier(), client).expect("limited");
    assert!(
        limiter
            .reset(&bucket)
            .now_or_never()
            .is_some_and(|r| r.is_ok())
    );
    assert_allowed(&mut waiters[1]);
}

#[tokio::test]
async fn what_is_leased_is_not_spent_before_those_that_wait_are_served() {
    static TIERS: &[Tier] = &[Tier::new("default", Quota::per_minute(64))];
    static PATIENT: Policy = Policy::new("leased_queue", Algorithm::TokenBucket, TIERS)
        .with_cost_of(cost_of)
        .with_lease()
        .with_wait(HOUR);
    static IMPATIENT: Policy = Policy::new("leased_queue", Algorithm::TokenBucket, TIERS)
        .with_cost_of(cost_of)
        .with_lease()
        .with_wait(Duration::from_millis(1));
    let [_, (limiter, clock)] = limiters("queue_leased").await;
    let mut is_leased = false;
    for _ in 0..30 {
        let mut one = check(&limiter, &PATIENT, 1);
        match (&mut one).now_or_never() {
            Some(status) => {
                assert!(status.is_allowed());
                is_leased = true;
                break;
            }
            None => assert!(one.await.is_allowed()),
        }
    }
    assert!(is_leased, "nothing is leased");
    // All that there is when the bucket is full: some has been used.
    let waiter = tokio::spawn(check(&limiter, &PATIENT, 63));
    eventually("the queue", || async {
        !check(&limiter, &IMPATIENT, 1).await.is_allowed()
    })
    .await;
    let mut newcomer = check(&limiter, &PATIENT, 1);
    assert!((&mut newcomer).now_or_never().is_none(), "it overtakes");
    let newcomer = tokio::spawn(newcomer);
    let requests = [waiter, newcomer];
    serve_all(&clock, Duration::from_secs(120), &requests).await;
    for request in requests {
        assert!(request.await.expect("no panic").is_allowed());
    }
}
