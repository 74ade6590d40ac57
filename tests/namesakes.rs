//! Handlers of one name, as each test of a crate may have its own. No limiter but a `TestLimiter` can be
//! built in such a program, so these tests are one of their own.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::Request,
    routing::{MethodRouter, get},
};
use ratelimit::{
    Caller, PolicyEntry, RateLimitLayer, RateLimiter, policy, rate_limit,
    testing::{TestLimiter, assert_limited, assert_remaining},
};

fn first() -> MethodRouter {
    #[rate_limit(limit = 1)]
    async fn handler() {}

    get(handler)
}

fn second() -> MethodRouter {
    #[rate_limit(limit = 1)]
    async fn handler() {}

    get(handler)
}

#[tokio::test]
async fn each_test_may_have_a_handler_of_the_same_name() {
    for route in [first(), second()] {
        let limiter = TestLimiter::new();
        let app = Router::new().route("/", route).layer(limiter.layer());
        for _ in 0..2 {
            assert_remaining(&limiter.get(&app, "/").await, 0);
            assert_limited(&limiter.get(&app, "/").await, Duration::from_secs(60));
            limiter.advance(Duration::from_secs(60));
        }
    }
}

#[tokio::test]
#[should_panic(expected = "two policies have the name \"namesakes::handler\"")]
async fn they_do_not_share_a_bucket_unseen() {
    let limiter = TestLimiter::new();
    let app = Router::new()
        .route("/first", first())
        .route("/second", second())
        .layer(limiter.layer());
    assert_remaining(&limiter.get(&app, "/first").await, 0);
    limiter.get(&app, "/second").await;
}

#[rate_limit(limit = 1, key = host)]
async fn by_host() {}

#[rate_limit(limit = 1, key = (host, path("id")))]
async fn by_host_and_path() {}

policy! { ByHost: limit = 1, key = host }

#[tokio::test]
async fn tenants_are_told_apart_by_the_attribute_and_the_macro() {
    let layered = Router::new()
        .route("/layer", get(async || "done"))
        .layer(RateLimitLayer::<ByHost>::new());
    let limiter = TestLimiter::with(|builder| builder.hosts(["a.example", "b.example"]));
    let app = Router::new()
        .route("/", get(by_host))
        .route("/page/{id}", get(by_host_and_path))
        .merge(layered)
        .layer(limiter.layer());
    let status = async |host: &str, path: &str| {
        let request = Request::get(path).header("host", host).body(Body::empty());
        limiter
            .send(&app, request.expect("a request"))
            .await
            .status()
    };
    for path in ["/", "/page/1", "/page/2", "/layer"] {
        for host in ["a.example", "b.example:443", "c.example"] {
            assert_eq!(status(host, path).await, 200, "{host}{path}");
            assert_eq!(status(host, path).await, 429, "{host}{path}");
        }
        assert_eq!(
            status("d.example", path).await,
            429,
            "the address's, as c's"
        );
    }
}

#[test]
fn any_other_limiter_is_refused() {
    let refused = RateLimiter::builder().build();
    let said = refused.expect_err("they would share a bucket").to_string();
    assert!(said.contains("\"namesakes::handler\""), "{said}");
    assert_eq!(said.matches("namesakes.rs:").count(), 2, "{said}");
}

#[tokio::test]
#[should_panic(expected = "two policies have the name")]
async fn nor_do_they_when_they_are_checked_by_hand() {
    let policies = ratelimit::policies().into_iter();
    let policies: Vec<_> = policies.flat_map(PolicyEntry::policies).collect();
    let limiter = TestLimiter::new();
    let (parts, ()) = Request::new(()).into_parts();
    for policy in policies {
        limiter.limiter().check(policy, Caller::new(&parts)).await;
    }
}
