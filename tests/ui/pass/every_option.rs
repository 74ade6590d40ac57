#![deny(warnings, missing_docs, unreachable_pub, clippy::pedantic)]

//! Each option as a user may write it.

use std::time::Duration;

use axum::{Router, routing::get};
use ratelimit::rate_limit;

const FREE: u32 = 60;
const HOUR: Duration = Duration::from_secs(3_600);

mod limits {
    pub(crate) const BURST: u32 = 7;
}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, algo = "token_bucket", burst = 20)]
async fn as_on_the_box() {}

#[rate_limit(
    tier_header = "X-API-Key",
    free = FREE,
    pro(limit = FREE * 10, per = "1s", burst = limits::BURST),
    enterprise(limit = 6_000, per = HOUR),
    internal = unlimited,
    tiers(gold = 1200, "my-tier"(limit = 5), partner = unlimited),
    default_tier = "my-tier",
    key = ip,
    per = "2m30s",
    algo = token_bucket,
    burst = (3 + 4),
    cost = 2,
    name = "everything",
    crate = ::ratelimit,
)]
async fn everything() {}

#[rate_limit(limit = 5, key = global, algo = "fixed_window")]
async fn global() {}

#[rate_limit(limit = 5u32, key = header("X-Tenant"))]
async fn by_header() {}

fn main() {
    let _: Router = Router::new()
        .route("/box", get(as_on_the_box))
        .route("/everything", get(everything))
        .route("/global", get(global))
        .route("/header", get(by_header));
}
