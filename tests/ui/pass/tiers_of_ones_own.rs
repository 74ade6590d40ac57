#![deny(warnings, missing_docs, unreachable_pub)]

//! Tiers of one's own.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(
    tier_header = "X-API-Key",
    free = 60,
    tiers(gold = 1200, "my-tier"(limit = 5, per = "1s"), partner = unlimited, r#type = 7)
)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
