//! `lease` and `strict`.

use axum::{Extension, Router, routing::get as route};
use ratelimit::{ManualClock, RateLimiter, RedisStore, rate_limit};
use ratelimit_tests::{App, RedisServer, header};

use super::{get, left};
use crate::limiters;

#[rate_limit(
    tier_header = "X-API-Key",
    free = 20,
    pro = 400,
    per = "1d",
    algo = "fixed_window",
    lease
)]
async fn leased() {}

#[rate_limit(limit = 20, per = "1d")]
#[rate_limit(limit = 400, per = "1d", key = global, algo = "fixed_window", lease)]
async fn leased_for_everybody() {}

#[rate_limit(limit = 400, per = "1d")]
async fn as_the_store_says() {}

#[rate_limit(limit = 400, per = "1d", strict)]
async fn strict() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/leased", route(leased))
        .route("/everybody", route(leased_for_everybody))
        .route("/store", route(as_the_store_says))
        .route("/strict", route(strict))
        .layer(Extension(limiter))
}

fn limiter(store: RedisStore) -> RateLimiter {
    let limiter = RateLimiter::builder().store(store).build();
    limiter.expect("nothing is wrong with it")
}

#[tokio::test]
async fn answers_say_what_they_say_without_leases() {
    for (limiter, _) in limiters("leased").await {
        let app = App::start(router(limiter)).await;
        for path in ["/leased", "/everybody"] {
            for n in (0..20).rev() {
                assert_eq!(get(&app, path).await, left(200, &n.to_string()), "{path}");
            }
            for _ in 0..3 {
                let denied = app.get(path).send().await.expect("an answer");
                assert_eq!(denied.status(), 429);
                assert_eq!(header(&denied, "x-ratelimit-limit"), Some("20"));
                assert_eq!(header(&denied, "x-ratelimit-remaining"), Some("0"));
                let wait = header(&denied, "retry-after").map(str::parse::<u32>);
                let wait = wait.expect("a header").expect("a number");
                assert!((86_000..=86_401).contains(&wait), "{wait}");
            }
        }
    }
}

#[tokio::test]
async fn redis_is_asked_a_few_times_where_much_comes() {
    let server = RedisServer::start();
    let () = redis::cmd("HSET")
        .arg(&["api_key:k-alice", "tier", "pro"])
        .query_async(&mut server.connection().await)
        .await
        .expect("written");
    // In it no time passes, so that no slice ends before it is spent.
    let builder = server.builder().clock(ManualClock::new());
    let limiter = limiter(builder.connect().await.expect("a store"));
    let app = App::start(router(limiter.clone())).await;
    let before = server.calls("evalsha").await;
    for n in (0..400).rev() {
        let request = app.get("/leased").header("x-api-key", "k-alice");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let remaining = header(&answer, "x-ratelimit-remaining");
        assert_eq!(remaining, Some(&*n.to_string()));
    }
    let calls = server.calls("evalsha").await - before;
    assert!(calls < 100, "{calls} calls");
    let request = app.get("/leased").header("x-api-key", "k-alice");
    assert_eq!(request.send().await.expect("an answer").status(), 429);
    // They are counted as others are.
    let of_it = |(name, _): &(&str, _)| name.ends_with("::leased");
    let totals = limiter
        .totals()
        .into_iter()
        .find(of_it)
        .map(|(_, totals)| totals);
    let counted = totals.map(|totals| (totals.allowed, totals.limited));
    assert_eq!(counted, Some((400, 1)));
}

#[tokio::test]
async fn a_store_says_it_for_all_that_do_not_say_otherwise() {
    let server = RedisServer::start();
    let store = server.builder().leases().connect().await;
    let app = App::start(router(limiter(store.expect("a store")))).await;
    for (path, is_leased) in [("/store", true), ("/strict", false)] {
        let before = server.calls("evalsha").await;
        for _ in 0..400 {
            assert_eq!(app.status(path).await, 200);
        }
        let calls = server.calls("evalsha").await - before;
        assert_eq!(calls < 100, is_leased, "{path}: {calls} calls");
    }
}
