//! Several limits on one handler: all or nothing.

use std::time::Duration;

use axum::{Extension, Router, routing::get as route};
use ratelimit::{RateLimiter, rate_limit};
use ratelimit_tests::{App, RedisServer, header};
use serde_json::{Value, json};

use super::{get, left};
use crate::{limiter_on, limiters};

#[rate_limit(limit = 2, per = "1s", name = "a second")]
#[rate_limit(limit = 5, per = "1m", algo = "token_bucket", name = "a minute")]
#[rate_limit(limit = 100, per = "1d", key = global, algo = "fixed_window", name = "a day")]
async fn limited() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/", route(limited))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn a_request_takes_from_all_or_from_none_and_hears_of_the_tightest() {
    for (limiter, clock) in limiters("several").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(get(&app, "/").await, left(200, "1"));
        assert_eq!(get(&app, "/").await, left(200, "0"));
        // Turned away by the second's limit, as often as it likes, it takes none of the minute's.
        for _ in 0..20 {
            let denied = app.get("/").send().await.expect("an answer");
            assert_eq!(denied.status(), 429);
            assert_eq!(header(&denied, "x-ratelimit-limit"), Some("2"));
            assert_eq!(header(&denied, "retry-after"), Some("1"));
            let problem: Value = denied.json().await.expect("JSON");
            assert_eq!(problem["violated-policies"], json!(["a second"]));
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(
            get(&app, "/").await,
            left(200, "1"),
            "the second's is tightest"
        );
        assert_eq!(get(&app, "/").await, left(200, "0"));
        clock.advance(Duration::from_secs(1));
        assert_eq!(
            get(&app, "/").await,
            left(200, "0"),
            "the minute's is tightest"
        );
        let denied = app.get("/").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        assert_eq!(header(&denied, "x-ratelimit-limit"), Some("5"));
        assert_eq!(
            header(&denied, "retry-after"),
            Some("10"),
            "one in 12 s, two of them passed"
        );
        let problem: Value = denied.json().await.expect("JSON");
        assert_eq!(problem["violated-policies"], json!(["a minute"]));
    }
}

#[tokio::test]
async fn all_of_them_are_one_round_trip() {
    let server = RedisServer::start();
    let app = App::start(router(limiter_on(&server).await)).await;
    let before = server.calls("evalsha").await;
    for _ in 0..2 {
        assert_eq!(app.status("/").await, 200);
    }
    assert_eq!(server.calls("evalsha").await, before + 2);
}
