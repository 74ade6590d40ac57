#![deny(warnings, missing_docs, unreachable_pub)]

//! A limit that only counts.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, shadow)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
