#![deny(warnings, missing_docs, unreachable_pub)]

//! A higher tier that may do less.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 600, pro = 60, unordered)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
