#![deny(warnings, missing_docs, unreachable_pub)]

//! The attribute by its path.

use axum::{Router, routing::get};

#[ratelimit::rate_limit(limit = 5)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
