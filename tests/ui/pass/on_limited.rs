#![deny(warnings, missing_docs, unreachable_pub)]

//! An answer of one's own.

use axum::{Router, http::StatusCode, routing::get};
use ratelimit::{RateLimitExceeded, rate_limit};

fn too_many(exceeded: &RateLimitExceeded) -> (StatusCode, String) {
    (StatusCode::TOO_MANY_REQUESTS, exceeded.to_string())
}

#[rate_limit(limit = 5, on_limited = too_many)]
async fn function() {}

#[rate_limit(limit = 5, on_limited = |_: &RateLimitExceeded| "slow down")]
async fn closure() {}

fn main() {
    let _: Router = Router::new()
        .route("/function", get(function))
        .route("/closure", get(closure));
}
