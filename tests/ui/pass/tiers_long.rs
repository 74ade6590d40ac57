#![deny(warnings, missing_docs, unreachable_pub)]

//! Windows and bursts for each tier.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(
    tier_header = "X-API-Key",
    free(limit = 60, per = "1h"),
    pro(limit = 600, per = "1s", burst = 100),
    algo = "token_bucket",
    burst = 20
)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
