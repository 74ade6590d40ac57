#![deny(warnings, missing_docs, unreachable_pub)]

//! A number for each tier.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, enterprise = 6_000, internal = unlimited)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
