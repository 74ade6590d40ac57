//! `ratelimit::testing` says what is wrong where something is.

use std::time::Duration;

use axum::{Router, http::Method, routing::get};
use ratelimit::{
    StaticTiers, rate_limit,
    testing::{TestLimiter, assert_all_limited, assert_limited, assert_remaining},
};

#[rate_limit(tier_header = "X-API-Key", free = 1, pro = 2, internal = unlimited)]
async fn limited() {}

fn app(limiter: &TestLimiter) -> Router {
    Router::new()
        .route("/limited", get(limited))
        .route("/forgotten", get(async || "no limit"))
        .layer(limiter.layer())
}

#[tokio::test]
async fn a_test_moves_the_time() {
    let limiter = TestLimiter::with_tiers(StaticTiers::new([("k-pro", "pro")]));
    let app = app(&limiter);
    for _ in 0..3 {
        assert_remaining(&limiter.get(&app, "/limited").await, 0);
        assert_limited(
            &limiter.get(&app, "/limited").await,
            Duration::from_secs(60),
        );
        limiter.advance(Duration::from_secs(60));
    }
    let request = axum::http::Request::get("/limited").header("x-api-key", "k-pro");
    let request = request.body(axum::body::Body::empty()).expect("a request");
    assert_remaining(&limiter.send(&app, request).await, 1);
}

#[tokio::test]
async fn all_routes_are_limited_also_where_the_request_is_over_it() {
    let limiter = TestLimiter::new();
    let app = app(&limiter);
    for _ in 0..3 {
        assert_all_limited(&app, [(Method::GET, "/limited")]).await;
    }
}

#[tokio::test]
#[should_panic(
    expected = "these routes have no rate limit: GET /forgotten (200 OK), GET /missing (404 Not Found)"
)]
async fn a_route_without_a_limit_is_named() {
    let limiter = TestLimiter::new();
    let routes = ["/limited", "/forgotten", "/missing"].map(|path| (Method::GET, path));
    assert_all_limited(&app(&limiter), routes).await;
}

#[tokio::test]
#[should_panic(expected = "requests that are left, of Some(1)")]
async fn another_number_is_named() {
    let limiter = TestLimiter::new();
    assert_remaining(&limiter.get(&app(&limiter), "/limited").await, 1);
}

#[tokio::test]
#[should_panic(expected = "the request was admitted, with Some(0) left")]
async fn an_admission_is_named() {
    let limiter = TestLimiter::new();
    assert_limited(
        &limiter.get(&app(&limiter), "/limited").await,
        Duration::ZERO,
    );
}

#[tokio::test]
#[should_panic(expected = "no limit was asked about this request, which was answered with 200 OK")]
async fn an_answer_without_a_limit_is_named() {
    let limiter = TestLimiter::new();
    assert_remaining(&limiter.get(&app(&limiter), "/forgotten").await, 1);
}
