#![deny(warnings, missing_docs, unreachable_pub)]

//! Requests that are exempt.

use axum::{Router, http::request::Parts, routing::get};
use ratelimit::rate_limit;

fn is_internal(parts: &Parts) -> bool {
    parts.headers.contains_key("x-internal")
}

#[rate_limit(limit = 5, exempt = is_internal)]
async fn function() {}

#[rate_limit(limit = 5, exempt = |parts| parts.uri.path() == "/")]
async fn closure() {}

fn main() {
    let _: Router = Router::new()
        .route("/function", get(function))
        .route("/closure", get(closure));
}
