#![deny(warnings, missing_docs, unreachable_pub)]

//! A cost, a function and a closure of it.

use axum::{Router, http::request::Parts, routing::get};
use ratelimit::rate_limit;

fn size(parts: &Parts) -> u32 {
    u32::try_from(parts.headers.len()).unwrap_or(u32::MAX)
}

#[rate_limit(limit = 5, cost = 2)]
async fn number() {}

#[rate_limit(limit = 5, cost = size)]
async fn function() {}

#[rate_limit(limit = 5, cost = |parts| if parts.uri.query().is_some() { 2 } else { 1 })]
async fn closure() {}

fn main() {
    let _: Router = Router::new()
        .route("/number", get(number))
        .route("/function", get(function))
        .route("/closure", get(closure));
}
