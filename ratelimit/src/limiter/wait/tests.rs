use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use http::Request;

use super::*;
use crate::{
    clock::ManualClock,
    limiter::{Caller, RateLimitStatus, Settings},
    policy::{Key, OnStoreError},
    store::{AnyStore, MemoryStore, Store},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// A store that answers later, as one that is elsewhere does, and sometimes not.
struct Elsewhere {
    memory: MemoryStore,
    is_out: AtomicBool,
    checks: AtomicU32,
}

impl Elsewhere {
    /// The store and a limiter with it, both on this clock.
    fn with_limiter(clock: &ManualClock) -> (Arc<Self>, RateLimiter) {
        let store = Arc::new(Self {
            memory: MemoryStore::new().with_clock(clock.clone()),
            is_out: AtomicBool::new(false),
            checks: AtomicU32::new(0),
        });
        let limiter = RateLimiter::new(Settings {
            store: AnyStore::new(store.clone()),
            clock: Arc::new(clock.clone()),
            ..Settings::default()
        });
        (store, limiter)
    }
}

impl Store for Elsewhere {
    fn rejection_ttl(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        tokio::task::yield_now().await;
        self.checks.fetch_add(1, Ordering::Relaxed);
        if self.is_out.load(Ordering::Relaxed) {
            return Err(StoreError::new("it is out"));
        }
        let decisions = self.memory.check_all(charges).await;
        tokio::task::yield_now().await;
        decisions
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.memory.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.memory.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.memory.reset(bucket).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Err(StoreError::new("it is out"))
    }

    fn timeout(&self) -> Duration {
        HOUR
    }
}

type Check = Pin<Box<dyn Future<Output = RateLimitStatus>>>;

fn check(limiter: &RateLimiter, policy: &'static Policy) -> Check {
    let limiter = limiter.clone();
    Box::pin(async move {
        let (parts, ()) = Request::new(()).into_parts();
        let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
        limiter.check(policy, caller).await
    })
}

fn poll(check: &mut Check) -> Option<RateLimitStatus> {
    match check.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(status) => Some(status),
        Poll::Pending => None,
    }
}

/// Polls it often enough for all that need not wait for time.
fn settle(check: &mut Check) -> Option<RateLimitStatus> {
    (0..64).find_map(|_| poll(check))
}

#[track_caller]
fn assert_waits(check: &mut Check) {
    assert!(settle(check).is_none(), "it does not wait");
}

#[track_caller]
fn assert_allowed(check: &mut Check) {
    let status = settle(check).expect("it still waits");
    assert!(status.is_allowed(), "{status:?}");
}

const fn policies(name: &'static str, tiers: &'static [Tier], wait: Duration) -> [Policy; 3] {
    [
        Policy::new(name, Algorithm::TokenBucket, tiers).with_wait(wait),
        Policy::new(name, Algorithm::SlidingWindow, tiers).with_wait(wait),
        Policy::new(name, Algorithm::FixedWindow, tiers).with_wait(wait),
    ]
}

static TWO_PER_TEN_SECONDS: &[Tier] =
    &[Tier::new("default", Quota::new(2, Duration::from_secs(10)))];

#[tokio::test]
async fn requests_queue_with_a_store_that_is_elsewhere() {
    static POLICIES: [Policy; 3] =
        policies("elsewhere", TWO_PER_TEN_SECONDS, Duration::from_secs(20));
    for policy in &POLICIES {
        let clock = ManualClock::new();
        let (_, limiter) = Elsewhere::with_limiter(&clock);
        for _ in 0..2 {
            assert_allowed(&mut check(&limiter, policy));
        }
        // All of them are asking at the same time.
        let mut waiters: Vec<Check> = (0..4).map(|_| check(&limiter, policy)).collect();
        for _ in 0..64 {
            for waiter in &mut waiters {
                assert!(poll(waiter).is_none());
            }
        }
        let fifth = settle(&mut check(&limiter, policy)).expect("it is rejected at once");
        assert!(fifth.retry_after() > Some(Duration::from_secs(20)));
        for _ in 0..60 {
            clock.advance(Duration::from_secs(1));
            let newcomer = settle(&mut check(&limiter, policy));
            let overtakes = newcomer.is_some_and(|status| status.is_allowed());
            assert!(!overtakes, "{policy:?}");
            while let Some(status) = waiters.first_mut().and_then(settle) {
                assert!(status.is_allowed());
                drop(waiters.remove(0));
            }
            if waiters.is_empty() {
                break;
            }
        }
        assert!(waiters.is_empty(), "{policy:?}");
    }
}

#[tokio::test]
async fn a_flood_behind_a_queue_costs_the_store_one_look_a_second() {
    static POLICIES: [Policy; 3] = policies("flood", TWO_PER_TEN_SECONDS, Duration::from_secs(10));
    for policy in &POLICIES {
        let clock = ManualClock::new();
        let (store, limiter) = Elsewhere::with_limiter(&clock);
        for _ in 0..2 {
            assert_allowed(&mut check(&limiter, policy));
        }
        let mut waiters: Vec<Check> = (0..2).map(|_| check(&limiter, policy)).collect();
        waiters.iter_mut().for_each(assert_waits);
        let before = store.checks.load(Ordering::Relaxed);
        for _ in 0..1_000 {
            let rejected = settle(&mut check(&limiter, policy)).expect("at once");
            assert!(!rejected.is_allowed());
        }
        let checks = store.checks.load(Ordering::Relaxed) - before;
        assert!(checks <= 2, "{checks} for {policy:?}");
    }
}

#[tokio::test]
async fn what_another_process_gives_back_is_found_within_a_second() {
    static POLICY: Policy = Policy::new(
        "elsewhere_reset",
        Algorithm::FixedWindow,
        TWO_PER_TEN_SECONDS,
    )
    .with_wait(HOUR);
    let clock = ManualClock::new();
    let (store, limiter) = Elsewhere::with_limiter(&clock);
    for _ in 0..2 {
        assert_allowed(&mut check(&limiter, &POLICY));
    }
    let mut waiter = check(&limiter, &POLICY);
    assert_waits(&mut waiter);
    let client = ClientId::ip([127, 0, 0, 1].into());
    let bucket = Bucket::new(&POLICY, POLICY.default_tier(), client).expect("limited");
    store.memory.forget(&bucket);
    clock.advance(Duration::from_millis(999));
    assert_waits(&mut waiter);
    clock.advance(Duration::from_millis(1));
    assert_allowed(&mut waiter);
}

/// A client that goes away while its check is under way hands its turn on.
#[tokio::test]
async fn a_request_that_is_dropped_at_any_time_holds_nobody_up() {
    static POLICY: Policy = Policy::new(
        "dropped",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::new(1, Duration::from_secs(10)))],
    )
    .with_wait(HOUR);
    for polls in 0..40 {
        let clock = ManualClock::new();
        let (_, limiter) = Elsewhere::with_limiter(&clock);
        assert_allowed(&mut check(&limiter, &POLICY));
        let mut first = check(&limiter, &POLICY);
        assert_waits(&mut first);
        let mut second = check(&limiter, &POLICY);
        assert_waits(&mut second);
        clock.advance(Duration::from_secs(10));
        let has_taken = (0..polls).find_map(|_| poll(&mut first)).is_some();
        drop(first);
        if has_taken {
            clock.advance(Duration::from_secs(10));
        }
        // What the first had taken when it was dropped comes back with the next window.
        if settle(&mut second).is_none() {
            clock.advance(Duration::from_secs(10));
            assert_allowed(&mut second);
        }
        drop(second);
        let bucket = Bucket::new(
            &POLICY,
            POLICY.default_tier(),
            ClientId::ip([127, 0, 0, 1].into()),
        );
        let waited_for = limiter.0.queue.is_waited_for(bucket.into_iter());
        assert!(!waited_for, "after {polls} polls");
    }
}

#[tokio::test]
async fn an_outage_ends_no_queue_and_lets_nobody_overtake() {
    static LOCAL: Policy = Policy::new("outage", Algorithm::FixedWindow, TWO_PER_TEN_SECONDS)
        .with_wait(HOUR)
        .with_on_store_error(OnStoreError::Local);
    static ALLOW: Policy = Policy::new("outage", Algorithm::FixedWindow, TWO_PER_TEN_SECONDS)
        .with_wait(HOUR)
        .with_on_store_error(OnStoreError::Allow);
    static DENY: Policy = Policy::new("outage", Algorithm::FixedWindow, TWO_PER_TEN_SECONDS)
        .with_wait(HOUR)
        .with_on_store_error(OnStoreError::Deny);
    for policy in [&LOCAL, &ALLOW, &DENY] {
        let clock = ManualClock::new();
        let (store, limiter) = Elsewhere::with_limiter(&clock);
        for _ in 0..2 {
            assert_allowed(&mut check(&limiter, policy));
        }
        let mut waiter = check(&limiter, policy);
        assert_waits(&mut waiter);
        store.is_out.store(true, Ordering::Relaxed);
        // A rejection holds for a second without asking.
        clock.advance(Duration::from_secs(1));
        let mut newcomer = check(&limiter, policy);
        match policy.on_store_error() {
            Some(OnStoreError::Local) => assert_waits(&mut newcomer),
            Some(OnStoreError::Allow) => assert_allowed(&mut newcomer),
            _ => {
                let status = settle(&mut newcomer).expect("an answer");
                assert_eq!(status.verdict(), Verdict::StoreDown);
            }
        }
    }
}

/// Many threads, two buckets for each request: all are served, and nothing is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_requests_are_served_on_many_threads() {
    static GLOBAL: Policy = Policy::new(
        "threads_global",
        Algorithm::TokenBucket,
        &[Tier::new(
            "default",
            Quota::new(1, Duration::from_millis(1)).with_burst(4),
        )],
    )
    .with_key(Key::Global)
    .with_wait(Duration::from_secs(60));
    static CLIENT: Policy = Policy::new(
        "threads_client",
        Algorithm::SlidingWindow,
        &[Tier::new(
            "default",
            Quota::new(4, Duration::from_millis(20)),
        )],
    )
    .with_wait(Duration::from_secs(60));
    let limiter = RateLimiter::default();
    let tasks = (0..16_u8).map(|n| {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            let (parts, ()) = Request::new(()).into_parts();
            let caller = Caller::new(&parts).with_peer(Some([10, 0, 0, n % 4].into()));
            let policies: [&'static Policy; 2] = if n % 2 == 0 {
                [&GLOBAL, &CLIENT]
            } else {
                [&CLIENT, &GLOBAL]
            };
            for round in 0..20 {
                let check = limiter.check_all(&policies, caller);
                if round % 5 == 4 {
                    // Its client goes away at some time.
                    let time = Duration::from_micros(u64::from(n) * 300);
                    let _ = tokio::time::timeout(time, check).await;
                } else {
                    assert!(check.await.is_allowed());
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    let queues = limiter.0.queue.backlog((0..4).filter_map(|n| {
        let client = ClientId::ip([10, 0, 0, n].into());
        Bucket::new(&CLIENT, CLIENT.default_tier(), client)
    }));
    assert!(queues.is_empty());
}

/// A client that waits for a limit of its own leaves to the others what all of them share.
#[tokio::test]
async fn requests_that_wait_for_their_own_limit_hold_up_nobody_under_another() {
    const WAIT: Duration = Duration::from_secs(10);
    static GLOBAL: Policy = Policy::new(
        "held_up_global",
        Algorithm::TokenBucket,
        &[Tier::new("default", Quota::per_second(10))],
    )
    .with_key(Key::Global)
    .with_wait(WAIT);
    static CLIENT: Policy = Policy::new(
        "held_up_client",
        Algorithm::TokenBucket,
        &[Tier::new("default", Quota::per_second(1))],
    )
    .with_wait(WAIT);
    let check = |limiter: &RateLimiter, client: u8| -> Check {
        let limiter = limiter.clone();
        Box::pin(async move {
            let (parts, ()) = Request::new(()).into_parts();
            let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, client].into()));
            limiter.check_all(&[&GLOBAL, &CLIENT], caller).await
        })
    };
    // One that both limits reject when it comes, and one that its own rejects when it is its turn.
    for slow in [1, 200] {
        let clock = ManualClock::new();
        let store = MemoryStore::new().with_clock(clock.clone());
        let limiter = RateLimiter::builder().store(store).build();
        let limiter = limiter.expect("nothing is wrong with it");
        for client in 1..=10 {
            assert_allowed(&mut check(&limiter, client));
        }
        let mut slow: Vec<Check> = (0..8).map(|_| check(&limiter, slow)).collect();
        slow.iter_mut().for_each(assert_waits);
        let mut others = Vec::new();
        let mut allowed = [0, 0];
        // Ten tokens a second: nine for as many clients that come, and one for the slow one.
        for tick in 1..=40_u8 {
            clock.advance(Duration::from_millis(100));
            if tick % 10 != 0 {
                others.push(check(&limiter, 100 + tick));
            }
            for _ in 0..4 {
                for (waiting, allowed) in [&mut slow, &mut others].into_iter().zip(&mut allowed) {
                    waiting.retain_mut(|check| {
                        let status = settle(check);
                        *allowed +=
                            u32::from(status.as_ref().is_some_and(RateLimitStatus::is_allowed));
                        status.is_none()
                    });
                }
            }
        }
        assert_eq!(allowed, [4, 36], "{} wait", others.len());
    }
}

/// Others take what two limits have as soon as they have it, and a request needs both.
#[tokio::test]
async fn a_request_under_two_limits_is_served_though_others_use_up_each() {
    const WAIT: Duration = Duration::from_secs(10);
    static FAST: Policy = Policy::new(
        "both_fast",
        Algorithm::TokenBucket,
        &[Tier::new("default", Quota::per_second(10))],
    )
    .with_wait(WAIT);
    static SLOW: Policy = Policy::new(
        "both_slow",
        Algorithm::TokenBucket,
        &[Tier::new("default", Quota::per_second(2))],
    )
    .with_wait(WAIT);
    static BOTH: [&Policy; 2] = [&FAST, &SLOW];
    let [fast, slow] = [&BOTH[..1], &BOTH[1..]];
    let check = |limiter: &RateLimiter, policies: &'static [&'static Policy]| -> Check {
        let limiter = limiter.clone();
        Box::pin(async move {
            let (parts, ()) = Request::new(()).into_parts();
            let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
            limiter.check_all(policies, caller).await
        })
    };
    for ahead in 0..5 {
        let clock = ManualClock::new();
        let store = MemoryStore::new().with_clock(clock.clone());
        let limiter = RateLimiter::builder().store(store).build();
        let limiter = limiter.expect("nothing is wrong with it");
        let begin = |waiting: &mut Vec<Check>, policies, many| {
            for _ in 0..many {
                waiting.push(check(&limiter, policies));
            }
            waiting.retain_mut(|check| settle(check).is_none());
        };
        let mut others = Vec::new();
        begin(&mut others, fast, 10 + 2 * ahead);
        begin(&mut others, slow, 2 + ahead);
        let mut both = check(&limiter, &BOTH);
        assert_waits(&mut both);
        begin(&mut others, fast, 40);
        begin(&mut others, slow, 10);
        // Half a second later there is the first token for it, and another half after it for each.
        let mut served = None;
        for tick in 0..40 {
            clock.advance(Duration::from_millis(100));
            for _ in 0..4 {
                others.retain_mut(|check| settle(check).is_none());
                served = served.or(settle(&mut both).map(|status| (tick, status.is_allowed())));
                if served.is_some() {
                    break;
                }
            }
            if served.is_some() {
                break;
            }
            begin(&mut others, fast, 1);
            begin(&mut others, slow, 1);
        }
        let (tick, allowed) = served.expect("it is served");
        assert!(allowed, "{ahead} ahead");
        assert!(tick <= 5 * (ahead + 1) + 5, "{ahead} ahead: {tick}");
    }
}

/// The shorter `wait` of a limit that has room at first begins when it has none.
#[tokio::test]
async fn a_request_is_held_for_a_limit_from_when_that_rejects_it() {
    static BRIEF: Policy = Policy::new(
        "held_briefly",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_second(1))],
    )
    .with_wait(Duration::from_secs(1));
    static LONG: Policy = Policy::new(
        "held_long",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::new(1, Duration::from_secs(5)))],
    )
    .with_wait(Duration::from_secs(10));
    static BOTH: [&Policy; 2] = [&BRIEF, &LONG];
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let limiter = RateLimiter::builder().store(store).build();
    let limiter = limiter.expect("nothing is wrong with it");
    assert_allowed(&mut check(&limiter, &LONG));
    let mut both: Check = Box::pin({
        let limiter = limiter.clone();
        async move {
            let (parts, ()) = Request::new(()).into_parts();
            let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
            limiter.check_all(&BOTH, caller).await
        }
    });
    assert_waits(&mut both);
    clock.advance(Duration::from_millis(4_500));
    assert_allowed(&mut check(&limiter, &BRIEF));
    clock.advance(Duration::from_millis(500));
    assert_waits(&mut both);
    clock.advance(Duration::from_millis(500));
    assert_allowed(&mut both);
}
