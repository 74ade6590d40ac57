//! What a bucket loses of what was leased from it when a request times out or is canceled: nothing.

use std::{future::poll_fn, pin::pin, task::Poll};

use ratelimit::RedisStoreBuilder;
use ratelimit_tests::{Proxy, Trouble};

use super::*;

/// How long a store waits for an answer that comes late.
const TIMEOUT: Duration = Duration::from_millis(400);

/// How late it comes.
const DELAY: Duration = Duration::from_millis(1_200);

/// Few enough for a slice to be spent in no time.
const QUOTA: Quota = Quota::new(800, LONG);

/// A process with leases, and what another process sees.
struct Scene {
    clock: ManualClock,
    store: RedisStore,
    limiter: RateLimiter,
    observer: RedisStore,
}

impl Scene {
    async fn new(server: &RedisServer) -> Self {
        Self::of(server, server.builder()).await
    }

    /// A process that reaches Redis through a proxy, and waits only so long for an answer.
    async fn behind(proxy: &Proxy, server: &RedisServer) -> Self {
        let builder = RedisStore::builder(proxy.url()).timeout(TIMEOUT);
        // More than there are checks while one of them is slow.
        Self::of(server, builder.connections(16)).await
    }

    async fn of(server: &RedisServer, builder: RedisStoreBuilder) -> Self {
        let clock = ManualClock::new();
        let store = builder.leases().clock(clock.clone()).connect().await;
        let store = store.expect("a redis-server");
        let limiter = RateLimiter::builder().store(store.clone()).build();
        Self {
            observer: still(server, &clock).await,
            clock,
            store,
            limiter: limiter.expect("a limiter"),
        }
    }

    /// Checks until a slice is spent to its last, so that the next check acquires another one.
    /// Returns how many checks were allowed.
    async fn spend_a_slice(&self, bucket: Bucket) -> u32 {
        let mut admitted = hammer(&self.store, bucket, 1, 40).await;
        while !all_is_back(&self.observer, bucket, admitted).await {
            assert!(admitted < held(&bucket), "something of it is lost");
            admitted += hammer(&self.store, bucket, 1, 1).await;
        }
        admitted
    }

    /// Waits until the bucket has all that was not admitted, once every slice was given back.
    async fn nothing_is_lost(&self, bucket: Bucket, admitted: u32) {
        eventually("what was not admitted", || async {
            self.limiter.give_back_leases().await;
            all_is_back(&self.observer, bucket, admitted).await
        })
        .await;
    }
}

/// Polls a future at most so often, and drops it. Returns its output, if it has come to one.
pub(super) async fn polled<T>(times: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls >= times => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Has a check acquire a slice that arrives when the check has timed out. Returns how many were
/// allowed before.
async fn acquire_late(scene: &Scene, proxy: &Proxy, bucket: Bucket) -> u32 {
    let admitted = scene.spend_a_slice(bucket).await;
    proxy.make(Trouble::Delay(DELAY));
    let began = Instant::now();
    assert!(scene.store.check(&bucket, 1).await.is_err());
    assert!(began.elapsed() < DELAY, "it waits for its timeout");
    proxy.make(Trouble::None);
    let is_taken = left(&scene.observer, bucket).await < held(&bucket) - admitted - 1;
    assert!(is_taken, "the slice is not in the bucket any more");
    admitted
}

#[tokio::test]
async fn a_slice_that_arrives_after_the_timeout_is_not_lost() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let proxy = Proxy::start(server.port()).await;
        let scene = Scene::behind(&proxy, &server).await;
        let bucket = bucket(policy("late", algorithm, QUOTA), 1);
        let admitted = acquire_late(&scene, &proxy, bucket).await;
        // Until it arrives each request is checked alone.
        assert_eq!(hammer(&scene.store, bucket, 1, 5).await, 5);
        scene.nothing_is_lost(bucket, admitted + 5).await;
    }
}

#[tokio::test]
async fn a_slice_that_arrives_after_the_timeout_is_spent() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let proxy = Proxy::start(server.port()).await;
        let scene = Scene::behind(&proxy, &server).await;
        let bucket = bucket(policy("spent late", algorithm, QUOTA), 1);
        acquire_late(&scene, &proxy, bucket).await;
        let taken = left(&scene.observer, bucket).await;
        let has_arrived = || async {
            // One that goes over the connection that is slow has no answer.
            let look = scene.store.check(&bucket, 0).await;
            look.is_ok_and(|look| look.remaining > taken)
        };
        eventually("the slice", has_arrived).await;
        let before = server.calls("evalsha").await;
        assert_eq!(hammer(&scene.store, bucket, 1, 2).await, 2);
        assert_eq!(server.calls("evalsha").await, before, "{algorithm:?}");
        assert_eq!(left(&scene.observer, bucket).await, taken, "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_slice_that_arrives_after_the_timeout_does_not_end_an_outage() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::behind(&proxy, &server).await;
    let policy = policy("slow", Algorithm::TokenBucket, QUOTA);
    let buckets = [1, 2, 3, 4].map(|n| bucket(policy, n));
    for bucket in buckets {
        scene.spend_a_slice(bucket).await;
    }
    // Each answer arrives while the next one is awaited.
    proxy.make(Trouble::Delay(TIMEOUT * 3 / 2));
    for bucket in &buckets[..3] {
        assert!(scene.store.check(bucket, 1).await.is_err());
    }
    let began = Instant::now();
    assert!(scene.store.check(&buckets[3], 1).await.is_err());
    assert!(
        began.elapsed() < TIMEOUT / 2,
        "three timeouts are an outage"
    );
}

#[tokio::test]
async fn a_slice_that_was_asked_for_before_a_reset_is_not_spent_after_it() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let proxy = Proxy::start(server.port()).await;
        let scene = Scene::behind(&proxy, &server).await;
        let bucket = bucket(policy("reset late", algorithm, QUOTA), 1);
        acquire_late(&scene, &proxy, bucket).await;
        let after = Instant::now() + DELAY;
        scene.clock.advance(Duration::from_micros(1));
        scene.store.reset(&bucket).await.expect("a new bucket");
        // Until the slice has arrived, and a little longer.
        let mut admitted = 0;
        while Instant::now() < after {
            assert_eq!(hammer(&scene.store, bucket, 1, 1).await, 1);
            admitted += 1;
            let left = left(&scene.observer, bucket).await;
            assert!(left <= held(&bucket) - admitted, "{algorithm:?}: {left}");
            tokio::time::sleep(DELAY / 24).await;
        }
        scene.nothing_is_lost(bucket, admitted).await;
    }
}

#[tokio::test]
async fn a_check_that_is_dropped_at_any_point_loses_nothing() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let scene = Scene::new(&server).await;
        let bucket = bucket(policy("dropped", algorithm, QUOTA), 1);
        let mut times = 1;
        loop {
            let admitted = scene.spend_a_slice(bucket).await;
            let decision = polled(times, scene.store.check(&bucket, 1)).await;
            let is_over = decision.is_some();
            scene
                .nothing_is_lost(bucket, admitted + u32::from(is_over))
                .await;
            if is_over {
                break;
            }
            scene.store.reset(&bucket).await.expect("a new bucket");
            times += 1;
        }
        assert!(times > 1, "{algorithm:?}: it waits for Redis at least once");
    }
}

#[tokio::test]
async fn a_check_that_is_dropped_when_its_slice_has_arrived_loses_nothing() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let scene = Scene::new(&server).await;
        let bucket = bucket(policy("unseen", algorithm, QUOTA), 1);
        let admitted = scene.spend_a_slice(bucket).await;
        let before = server.calls("evalsha").await;
        let mut check = Box::pin(scene.store.check(&bucket, 1));
        assert!(polled(1, check.as_mut()).await.is_none());
        // The rest of the slice is there, and with it the decision, which is not looked at.
        let has_arrived = || async {
            let is_asked = server.calls("evalsha").await > before;
            let rest = scene.store.check(&bucket, 0).await.expect("a look");
            let in_redis = left(&scene.observer, bucket).await;
            is_asked && rest.remaining > in_redis
        };
        eventually("the slice", has_arrived).await;
        drop(check);
        scene.nothing_is_lost(bucket, admitted).await;
    }
}

#[tokio::test]
async fn a_check_of_several_limits_that_is_dropped_at_any_point_loses_nothing() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let scene = Scene::new(&server).await;
        let first = bucket(policy("first", algorithm, QUOTA), 1);
        let second = bucket(policy("second", algorithm, QUOTA), 1);
        let strict = bucket(says(Policy::with_strict, algorithm), 1);
        let charges = [charge(first, 1), charge(second, 1), charge(strict, 1)];
        for is_spent in [false, true] {
            let mut times = 1;
            loop {
                let mut admitted = scene.spend_a_slice(first).await;
                assert_eq!(scene.spend_a_slice(second).await, admitted);
                if !is_spent {
                    // Both have something left of a slice.
                    admitted += hammer(&scene.store, first, 1, 1).await;
                    hammer(&scene.store, second, 1, 1).await;
                }
                let decisions = polled(times, scene.store.check_all(&charges)).await;
                let is_over = decisions.is_some();
                let admitted = admitted + u32::from(is_over);
                scene.nothing_is_lost(first, admitted).await;
                scene.nothing_is_lost(second, admitted).await;
                for bucket in [&first, &second] {
                    scene.store.reset(bucket).await.expect("a new bucket");
                }
                if is_over {
                    break;
                }
                times += 1;
            }
            assert!(times > 1, "{algorithm:?}: it waits for Redis at least once");
        }
    }
}

#[test]
fn a_runtime_that_ends_while_it_acquires_a_slice_keeps_no_other_waiting() {
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().build()
    };
    let lasting = runtime().expect("a runtime");
    let server = RedisServer::start();
    let scene = lasting.block_on(Scene::new(&server));
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("ended", algorithm, QUOTA), 1);
        let admitted = lasting.block_on(scene.spend_a_slice(bucket));
        let ending = runtime().expect("a runtime");
        let decision = ending.block_on(polled(1, scene.store.check(&bucket, 1)));
        assert!(decision.is_none(), "it waits for Redis");
        drop(ending);
        lasting.block_on(async {
            let before = server.calls("evalsha").await;
            let more = hammer(&scene.store, bucket, 8, 10).await;
            assert_eq!(more, 80, "{algorithm:?}");
            let calls = server.calls("evalsha").await - before;
            assert!(calls < 40, "{algorithm:?}: {calls} calls");
            // What was on its way to the runtime is gone with it: at most a slice.
            scene.limiter.give_back_leases().await;
            let lost = held(&bucket) - admitted - more - left(&scene.observer, bucket).await;
            assert!(lost <= QUOTA.limit() / 16, "{algorithm:?}: {lost}");
        });
    }
}

#[tokio::test]
async fn to_give_back_what_is_leased_is_not_undone_where_it_is_dropped() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        for times in 1..4 {
            let scene = Scene::new(&server).await;
            let bucket = bucket(policy("given back", algorithm, QUOTA), times);
            let mut admitted = scene.spend_a_slice(bucket).await;
            admitted += hammer(&scene.store, bucket, 1, 1).await;
            let left_then = left(&scene.observer, bucket).await;
            assert!(left_then < held(&bucket) - admitted, "a slice is out");
            polled(times as usize, scene.limiter.give_back_leases()).await;
            eventually("what was not spent", || {
                all_is_back(&scene.observer, bucket, admitted)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn what_is_known_to_be_rejected_is_rejected_when_another_limit_cannot_be_read() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    for algorithm in ALGORITHMS {
        let used_up = bucket(policy("used up", algorithm, Quota::new(16, LONG)), 0);
        let unreadable = bucket(says(Policy::with_strict, algorithm), 9);
        let store = still(&server, &clock).await;
        assert_eq!(hammer(&store, used_up, 1, 40).await, held(&used_up));
        let () = redis::cmd("HSET")
            .arg(format!("ratelimit:{unreadable}"))
            .arg(&["not", "a bucket"])
            .query_async(&mut server.connection().await)
            .await
            .expect("written");
        assert!(store.check(&unreadable, 1).await.is_err());
        for charges in [
            [charge(unreadable, 1), charge(used_up, 1)],
            [charge(used_up, 1), charge(unreadable, 1)],
        ] {
            let decisions = store.check_all(&charges).await.expect("a rejection");
            let of = |bucket| {
                let charged = charges.iter().position(|charge| charge.bucket == bucket);
                decisions[charged.expect("one of them")]
            };
            assert!(!of(used_up).allowed, "{algorithm:?}");
            assert!(of(used_up).retry_after.is_some(), "{algorithm:?}");
            // It promises nothing.
            assert_eq!(
                (of(unreadable).allowed, of(unreadable).remaining),
                (true, 0)
            );
        }
    }
}
