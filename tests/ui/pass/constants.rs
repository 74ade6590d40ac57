#![deny(warnings, missing_docs, unreachable_pub)]

//! Constants, arithmetic and `const` functions.

use std::time::Duration;

use axum::{Router, routing::get};
use ratelimit::rate_limit;

const LIMIT: u32 = 60;
const HOUR: Duration = Duration::from_secs(3_600);

mod limits {
    pub(crate) const BURST: u32 = 7;
}

const fn twice(n: u32) -> u32 {
    n * 2
}

#[rate_limit(
    limit = LIMIT * 10,
    per = HOUR,
    algo = "token_bucket",
    burst = limits::BURST,
    cost = COST
)]
async fn named() {}

const COST: u32 = 2;

#[rate_limit(limit = twice(LIMIT), per = Duration::from_secs(30))]
async fn called() {}

#[rate_limit(limit = if LIMIT > 50 { 50 } else { LIMIT })]
async fn decided() {}

fn main() {
    let _: Router = Router::new()
        .route("/named", get(named))
        .route("/called", get(called))
        .route("/decided", get(decided));
}
