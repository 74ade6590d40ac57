//! `exempt`, `shadow`, `on_store_error` and `on_limited`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Extension, Json, Router,
    http::{StatusCode, request::Parts},
    response::IntoResponse,
    routing::get as route,
};
use ratelimit::{
    ApiKey, KnownKey, OnStoreError, RateLimitExceeded, RateLimiter, ResolveError, TierResolver,
    rate_limit,
};
use ratelimit_tests::{App, RedisServer, header};
use serde_json::{Value, json};

use super::{get, left};
use crate::limiters;

fn is_internal(parts: &Parts) -> bool {
    parts.headers.contains_key("x-internal")
}

#[rate_limit(limit = 1, exempt = is_internal)]
async fn exempt() {}

#[rate_limit(limit = 1, shadow)]
async fn shadow() {}

#[rate_limit(limit = 3, name = "enforced")]
#[rate_limit(limit = 1, shadow, name = "tried out")]
async fn beside_a_shadow() {}

fn too_many(exceeded: &RateLimitExceeded) -> impl IntoResponse + use<> {
    let body = json!({
        "code": "slow_down",
        "policy": exceeded.policy().name(),
        "tier": exceeded.tier().name(),
        "limit": exceeded.limit(),
        "remaining": exceeded.remaining(),
        "wait": exceeded.retry_after().map(|wait| wait.as_secs()),
        "reset": exceeded.reset().as_secs(),
    });
    (StatusCode::IM_A_TEAPOT, Json(body))
}

#[rate_limit(limit = 1, on_limited = too_many, name = "own answer")]
async fn own_answer() {}

#[rate_limit(limit = 1)]
async fn as_the_limiter_says() {}

#[rate_limit(limit = 1, on_store_error = "allow")]
async fn allow() {}

#[rate_limit(limit = 1, on_store_error = "deny")]
async fn deny() {}

#[rate_limit(limit = 1, on_store_error = "local")]
async fn local() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/exempt", route(exempt))
        .route("/shadow", route(shadow))
        .route("/beside", route(beside_a_shadow))
        .route("/own", route(own_answer))
        .route("/limiter", route(as_the_limiter_says))
        .route("/allow", route(allow))
        .route("/deny", route(deny))
        .route("/local", route(local))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn exempt_requests_are_not_counted() {
    for (limiter, _) in limiters("exempt").await {
        let app = App::start(router(limiter)).await;
        for _ in 0..5 {
            let request = app.get("/exempt").header("x-internal", "1");
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200);
            assert_eq!(header(&response, "x-ratelimit-limit"), None);
        }
        assert_eq!(get(&app, "/exempt").await, left(200, "0"));
        assert_eq!(get(&app, "/exempt").await, left(429, "0"));
    }
}

#[rate_limit(tier_header = "X-API-Key", free = 5, exempt = is_internal)]
async fn exempt_with_tiers() {}

/// Counts how often it is asked.
struct Counting(Arc<AtomicUsize>);

impl TierResolver for Counting {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }
}

#[tokio::test]
async fn the_tier_of_an_exempt_request_is_not_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let limiter = RateLimiter::builder()
        .tier_resolver(Counting(asked.clone()))
        .build()
        .expect("nothing is wrong with it");
    let router = Router::new()
        .route("/", route(exempt_with_tiers))
        .layer(Extension(limiter));
    let app = App::start(router).await;
    for (name, expected) in [("x-internal", 0), ("x-other", 1)] {
        let request = app.get("/").header("x-api-key", "a key").header(name, "1");
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        assert_eq!(asked.load(Ordering::SeqCst), expected, "{name}");
    }
}

#[tokio::test]
async fn a_shadow_turns_nobody_away_and_shows_itself_to_nobody() {
    for (limiter, _) in limiters("shadow").await {
        let app = App::start(router(limiter)).await;
        for _ in 0..5 {
            assert_eq!(get(&app, "/shadow").await, (200, None));
        }
        for n in ["2", "1", "0"] {
            assert_eq!(get(&app, "/beside").await, left(200, n));
        }
        let denied = app.get("/beside").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        let problem: Value = denied.json().await.expect("JSON");
        assert_eq!(problem["violated-policies"], json!(["enforced"]));
    }
}

#[tokio::test]
async fn the_answer_can_be_ones_own_with_the_headers_on_it() {
    for (limiter, _) in limiters("own_answer").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(get(&app, "/own").await, left(200, "0"));
        let denied = app.get("/own").send().await.expect("an answer");
        assert_eq!(denied.status(), 418);
        assert_eq!(header(&denied, "retry-after"), Some("60"));
        assert_eq!(header(&denied, "cache-control"), Some("no-store"));
        assert_eq!(header(&denied, "x-ratelimit-limit"), Some("1"));
        assert_eq!(
            denied.json::<Value>().await.expect("JSON"),
            json!({
                "code": "slow_down",
                "policy": "own answer",
                "tier": "default",
                "limit": 1,
                "remaining": 0,
                "wait": 60,
                "reset": 60,
            })
        );
    }
}

#[tokio::test]
async fn while_redis_is_gone_each_limit_does_what_it_says() {
    let modes = [
        (OnStoreError::Local, [200, 429]),
        (OnStoreError::Allow, [200, 200]),
        (OnStoreError::Deny, [503, 503]),
    ];
    for (mode, expected) in modes {
        let server = RedisServer::start();
        let limiter = RateLimiter::builder()
            .store(server.store().await)
            .on_store_error(mode)
            .build()
            .expect("nothing is wrong with it");
        let app = App::start(router(limiter)).await;
        drop(server);
        for (path, statuses) in [
            ("/limiter", expected),
            ("/local", [200, 429]),
            ("/allow", [200, 200]),
            ("/deny", [503, 503]),
        ] {
            for status in statuses {
                assert_eq!(app.status(path).await, status, "{mode:?} {path}");
            }
        }
        let unavailable = app.get("/deny").send().await.expect("an answer");
        assert_eq!(header(&unavailable, "retry-after"), Some("1"));
        assert_eq!(header(&unavailable, "cache-control"), Some("no-store"));
        let problem: Value = unavailable.json().await.expect("JSON");
        assert_eq!(
            problem["type"],
            "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
        );
    }
}
