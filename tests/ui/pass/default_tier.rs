#![deny(warnings, missing_docs, unreachable_pub)]

//! A default tier, as a text and as a word.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", pro = 600, tiers("my-tier" = 5), default_tier = "my-tier")]
async fn text() {}

#[rate_limit(tier_header = "X-API-Key", pro = 600, enterprise = 6_000, default_tier = pro)]
async fn word() {}

fn main() {
    let _: Router = Router::new()
        .route("/text", get(text))
        .route("/word", get(word));
}
