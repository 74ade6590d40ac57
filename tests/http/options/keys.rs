//! `key`: what shares a bucket.

use axum::{Extension, Router, extract::Path, http::request::Parts, routing::get};
use ratelimit::{RateLimiter, rate_limit};
use ratelimit_tests::App;

use crate::limiters;

#[rate_limit(limit = 2, key = path("id"))]
async fn by_path(Path(_): Path<String>) {}

#[rate_limit(limit = 2, key = path("missing"))]
async fn by_a_missing_parameter(Path(_): Path<String>) {}

fn tenant(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-tenant")?.to_str().ok()
}

#[rate_limit(limit = 2, key = tenant)]
async fn by_function() {}

#[rate_limit(limit = 2, key = |parts: &Parts| parts.uri.query().map_or(0, str::len))]
async fn by_closure() {}

#[rate_limit(limit = 2, key = (header("X-Tenant"), path("id")))]
async fn by_tuple(Path(_): Path<String>) {}

#[rate_limit(tier_header = "X-API-Key", free = 2, pro = 3, key = (caller, path("id")))]
async fn by_caller_and_path(Path(_): Path<String>) {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/path/{id}", get(by_path))
        .route("/missing/{id}", get(by_a_missing_parameter))
        .route("/function", get(by_function))
        .route("/closure", get(by_closure))
        .route("/tuple/{id}", get(by_tuple))
        .route("/caller/{id}", get(by_caller_and_path))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn by_a_parameter_of_the_path_as_it_is_when_decoded() {
    for (limiter, _) in limiters("key_path").await {
        let app = App::start(Router::new().nest("/nested", router(limiter))).await;
        for path in ["/nested/path/a%20b", "/nested/path/c"] {
            assert_eq!(app.status(path).await, 200);
        }
        // The same parameter, written in another way.
        assert_eq!(app.status("/nested/path/%61%20b").await, 200);
        assert_eq!(app.status("/nested/path/a%20%62").await, 429);
        assert_eq!(app.status("/nested/path/c").await, 200);
    }
}

#[tokio::test]
async fn by_address_where_the_route_has_no_such_parameter() {
    for (limiter, _) in limiters("key_missing").await {
        let app = App::start(router(limiter)).await;
        for (path, status) in [("a", 200), ("b", 200), ("c", 429)] {
            assert_eq!(app.status(&format!("/missing/{path}")).await, status);
        }
    }
}

async fn with_tenant(app: &App, path: &str, tenant: &str) -> u16 {
    let request = app.get(path).header("x-tenant", tenant);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn by_what_a_function_finds() {
    for (limiter, _) in limiters("key_function").await {
        let app = App::start(router(limiter)).await;
        for tenant in ["a", "b"] {
            for status in [200, 200, 429] {
                assert_eq!(with_tenant(&app, "/function", tenant).await, status);
            }
        }
        // Without one, by address.
        for status in [200, 200, 429] {
            assert_eq!(app.status("/function").await, status);
        }
        for query in ["", "?q", "?qq"] {
            for status in [200, 200, 429] {
                assert_eq!(app.status(&format!("/closure{query}")).await, status);
            }
        }
    }
}

#[tokio::test]
async fn by_several_things_together() {
    for (limiter, _) in limiters("key_tuple").await {
        let app = App::start(router(limiter)).await;
        for tenant in ["a", "b"] {
            for path in ["/tuple/1", "/tuple/2"] {
                for status in [200, 200, 429] {
                    assert_eq!(with_tenant(&app, path, tenant).await, status);
                }
            }
        }
        for (key, limit) in [("k-free", 2), ("k-pro", 3), ("nobody's", 2)] {
            for path in ["/caller/1", "/caller/2"] {
                for n in 1..=limit + 1 {
                    let request = app.get(path).header("x-api-key", key);
                    let status = request.send().await.expect("an answer").status();
                    assert_eq!(status, if n <= limit { 200 } else { 429 }, "{key} {path}");
                }
            }
        }
    }
}
