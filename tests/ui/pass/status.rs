#![deny(warnings, missing_docs, unreachable_pub)]

//! `RateLimitStatus`, what is left.

use axum::{Router, routing::get};
use ratelimit::{RateLimitStatus, rate_limit};

#[rate_limit(limit = 5)]
async fn handler(status: RateLimitStatus) -> String {
    format!("{:?}", status.remaining())
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
