//! `wait`: a request that would soon be admitted is held until then.

use std::time::{Duration, Instant};

use axum::{Extension, Router, routing::get as route};
use futures_util::FutureExt;
use ratelimit::{
    Caller, ManualClock, MemoryStore, Policy, PolicySource, RateLimiter, policy, rate_limit,
};
use ratelimit_tests::{App, RedisServer};

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

policy! { Queued: limit = 1, per = "10s", wait = "1h" }

#[tokio::test]
async fn the_line_is_bounded_and_who_goes_away_gives_its_place_back() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder()
        .store(MemoryStore::new().with_clock(clock.clone()))
        .build()
        .expect("nothing is wrong with it");
    let policy: &'static Policy = Queued::limits()[0].policy();
    let (parts, ()) = axum::http::Request::new(()).into_parts();
    let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
    let check = || Box::pin(limiter.check(policy, caller));

    assert!(check().await.is_allowed());
    for _ in 0..2 {
        let mut line: Vec<_> = (0..100).map(|_| check()).collect();
        for waiting in &mut line {
            assert!(waiting.now_or_never().is_none(), "it waits");
        }
        let one_too_many = check().now_or_never();
        assert!(one_too_many.is_some_and(|status| !status.is_allowed()));
        drop(line);
    }

    // They are admitted in the order they came.
    let mut line: Vec<_> = (0..3).map(|_| check()).collect();
    for waiting in &mut line {
        assert!(waiting.now_or_never().is_none(), "it waits");
    }
    for n in 0..3 {
        clock.advance(Duration::from_secs(10));
        for (place, waiting) in line.iter_mut().enumerate().skip(n) {
            let admitted = waiting.now_or_never();
            assert_eq!(
                admitted.is_some(),
                place == n,
                "place {place} after turn {n}"
            );
            assert!(admitted.is_none_or(|status| status.is_allowed()));
        }
    }
}
