//! All that is ever asked of Redis, so that each way to reach it is seen to carry it.

use std::{mem, sync::Mutex, time::Duration};

use axum::{Extension, Router, routing::get};
use futures_util::future::join_all;
use ratelimit::{Algorithm, Bucket, Charge, Quota, RateLimiter, RedisStore, Store, rate_limit};
use ratelimit_tests::{ALGORITHMS, App, bucket, eventually, header, policy};

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, name = "topologies")]
async fn tiered() {}

/// Checks, charges, refunds and resets with every algorithm, checks several buckets at once, for one
/// client and for many, and has the tier of an API key set, looked up and removed. It can be done once with
/// each Redis.
pub(super) async fn works(store: RedisStore) {
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("works", algorithm, Quota::per_hour(5)), 1);
        let taken = store.check(&bucket, 2).await.expect("a check");
        assert_eq!((taken.allowed, taken.remaining), (true, 3));
        let charged = store.charge(&bucket, 1).await.expect("a charge");
        assert_eq!(charged.remaining, 2);
        let refunded = store.refund(&bucket, 2, &taken).await.expect("a refund");
        assert_eq!(refunded.remaining, 4);
        let denied = store.check(&bucket, 5).await.expect("a check");
        assert!(!denied.allowed);
        // Nothing is left of a log then; a token bucket lacks what it earned in between.
        let refunded = store.refund(&bucket, 1, &charged).await.expect("a refund");
        assert!(refunded.remaining >= 4);
        store.reset(&bucket).await.expect("a reset");
    }
    long_log(&store).await;
    at_once(&store).await;
    all_or_none(&store).await;
    let limiter = RateLimiter::builder()
        .store(store.clone())
        .build()
        .expect("built");
    let set = limiter.set_tier("k-alice", Some("pro")).await;
    set.expect("a tier");
    let app = Router::new()
        .route("/", get(tiered))
        .layer(Extension(limiter.clone()));
    let app = App::start(app).await;
    let request = app.get("/").header("x-api-key", "k-alice");
    let answer = request.send().await.expect("an answer");
    assert_eq!(header(&answer, "x-ratelimit-limit"), Some("600"));
    assert_eq!(header(&answer, "x-ratelimit-remaining"), Some("599"));
    let unset = limiter.set_tier("k-alice", None).await;
    unset.expect("an unknown key");
    in_touch(&limiter, store, &app).await;
}

/// Another limiter on the same Redis hears of a bypass and of the figures, of clients that were
/// turned away as well.
async fn in_touch(limiter: &RateLimiter, store: RedisStore, app: &App) {
    let other = RateLimiter::builder().store(store).build().expect("built");
    app.use_up("/").await;
    eventually("the figures of all", async || {
        let figures = other.fleet_figures().await.expect("figures");
        figures
            .is_some_and(|figures| figures.limited_clients == 1 && figures.limited_per_minute > 0)
    })
    .await;
    let time = Duration::from_secs(60);
    let begun = limiter.start_bypass("a test", time).await;
    let begun = begun.expect("a bypass");
    eventually("a bypass that was started elsewhere", async || {
        other
            .bypass()
            .is_some_and(|seen| seen.reason == begun.reason)
    })
    .await;
    other.end_bypass().await.expect("the end of it");
    eventually("the end of a bypass", async || limiter.bypass().is_none()).await;
}

/// A log that is too long for a string, some of which leaves the window while more comes, and some is
/// given back.
async fn long_log(store: &RedisStore) {
    let policy = policy("long", Algorithm::SlidingWindow, Quota::per_second(20_000));
    let bucket = bucket(policy, 1);
    let check = async || store.check(&bucket, 65).await.expect("a check");
    let last = Mutex::new(check().await);
    eventually("more room than before", async || {
        let decision = check().await;
        let before = mem::replace(&mut *last.lock().expect("one task"), decision);
        let is_room = decision.remaining > before.remaining;
        is_room && decision.remaining < 20_000 - 2 * 65
    })
    .await;
    let earlier = last.into_inner().expect("one task");
    let last = check().await;
    let refunded = store.refund(&bucket, 65, &earlier).await;
    let refunded = refunded.expect("a refund");
    assert!(refunded.remaining >= last.remaining + 65);
}

/// More than a connection sends one by one.
async fn at_once(store: &RedisStore) {
    let policy = policy("at_once", Algorithm::TokenBucket, Quota::per_hour(5));
    let buckets: Vec<Bucket> = (0..100).map(|client| bucket(policy, client)).collect();
    let decisions = join_all(buckets.iter().map(|bucket| store.check(bucket, 1))).await;
    for decision in decisions {
        assert!(decision.expect("a check").allowed);
    }
}

/// One client's buckets: where one has nothing left, nothing is taken from the others.
async fn all_or_none(store: &RedisStore) {
    let buckets: Vec<Bucket> = (2..)
        .zip(ALGORITHMS)
        .map(|(limit, algorithm)| bucket(policy("all", algorithm, Quota::per_hour(limit)), 2))
        .collect();
    let charges: Vec<Charge> = buckets
        .iter()
        .map(|&bucket| Charge {
            bucket,
            cost: 1,
            enforced: true,
        })
        .collect();
    for remaining in [[1, 2, 3], [0, 1, 2], [0, 1, 2]] {
        let decisions = store.check_all(&charges).await.expect("a check of several");
        let left: Vec<u32> = decisions
            .iter()
            .map(|decision| decision.remaining)
            .collect();
        assert_eq!(left, remaining);
    }
}
