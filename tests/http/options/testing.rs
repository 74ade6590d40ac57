//! `ratelimit::testing` says what is wrong where something is.

use std::time::Duration;

use axum::{
    Extension, Router,
    extract::{FromRequestParts, Request},
    http::{HeaderValue, Method, StatusCode, request::Parts},
    middleware::{Next, from_fn},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use ratelimit::{
    Identified, Identity, RateLimitLayer, StaticTiers, policy, rate_limit,
    testing::{AllLimited, TestLimiter, assert_all_limited, assert_limited, assert_remaining},
};
use ratelimit_tests::RedisServer;

use super::super::limiter_on;

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

async fn authenticate(request: Request, next: Next) -> Response {
    match request.headers().get("authorization") {
        Some(token) if token == "Bearer test" => next.run(request).await,
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn redirect() -> Redirect {
    Redirect::to("/login")
}

/// Routes of which a layer asks who is calling before their limits are checked.
fn guarded(limiter: &TestLimiter) -> Router {
    let inside = Router::new()
        .route("/me", get(limited).post(limited))
        .route("/unlimited", get(async || "no limit"))
        .layer(from_fn(authenticate));
    inside
        .route("/home", get(redirect))
        .route("/open", get(async || "no limit"))
        .layer(limiter.layer())
}

#[tokio::test]
#[should_panic(expected = "these routes have no rate limit: GET /open (200 OK)\n\
                these routes answered before any limit was checked: GET /me (401 Unauthorized), GET /home (303 See Other); send credentials with AllLimited::of(&app)")]
async fn a_route_that_needs_credentials_is_named_as_such() {
    let limiter = TestLimiter::new();
    let routes = ["/me", "/home", "/open"].map(|path| (Method::GET, path));
    assert_all_limited(&guarded(&limiter), routes).await;
}

#[tokio::test]
async fn with_credentials_the_limit_behind_them_is_found() {
    let limiter = TestLimiter::new();
    let app = guarded(&limiter);
    for _ in 0..2 {
        AllLimited::of(&app)
            .header("Authorization", "Bearer test")
            .assert([(Method::GET, "/me"), (Method::POST, "/me")])
            .await;
        AllLimited::of(&app)
            .prepare(|mut request| {
                let token = HeaderValue::from_static("Bearer test");
                request.headers_mut().insert("authorization", token);
                request
            })
            .assert([(Method::GET, "/me")])
            .await;
    }
}

#[tokio::test]
#[should_panic(expected = "these routes have no rate limit: GET /unlimited (200 OK)")]
async fn with_credentials_a_route_without_a_limit_is_named() {
    let limiter = TestLimiter::new();
    AllLimited::of(&guarded(&limiter))
        .header("Authorization", "Bearer test")
        .assert([(Method::GET, "/me"), (Method::GET, "/unlimited")])
        .await;
}

struct User;

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Err(StatusCode::UNAUTHORIZED)
    }
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        None
    }
}

#[rate_limit(identity = User, limit = 5, name = "of a user who is none")]
async fn of_a_user() {}

policy! { OfUsers: identity = User, limit = 5, name = "of users who are none" }

#[tokio::test]
async fn an_identity_that_rejects_is_a_part_of_the_limit() {
    let limiter = TestLimiter::new();
    let layered = Router::new()
        .route("/layer", get(async || "done"))
        .layer(RateLimitLayer::<OfUsers>::new());
    let app = Router::new()
        .route("/", get(of_a_user))
        .merge(layered)
        .layer(limiter.layer());
    assert_eq!(limiter.get(&app, "/").await.status(), 401);
    assert_all_limited(&app, [(Method::GET, "/"), (Method::GET, "/layer")]).await;
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

#[rate_limit(limit = 5, on_store_error = "deny", name = "of a store that is down")]
async fn denied() {}

#[tokio::test]
async fn a_limit_whose_store_is_down_is_still_one() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    drop(server);
    let app = Router::new()
        .route("/", get(denied))
        .layer(Extension(limiter));
    assert_all_limited(&app, [(Method::GET, "/")]).await;
}
