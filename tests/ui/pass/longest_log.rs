#![deny(warnings, missing_docs, unreachable_pub)]

//! The longest log of a sliding window, and longer ones of others.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 131_072, per = "1h")]
async fn log() {}

#[rate_limit(limit = 131_073, per = "1h", algo = "token_bucket")]
async fn bucket() {}

fn main() {
    let _: Router = Router::new()
        .route("/log", get(log))
        .route("/bucket", get(bucket));
}
