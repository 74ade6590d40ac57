#![deny(warnings, missing_docs, unreachable_pub)]

//! Limits of which a process leases slices, and one that it does not.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 6000, lease)]
async fn leased() {}

#[rate_limit(limit = 5, strict)]
async fn strict() {}

fn main() {
    let _: Router = Router::new()
        .route("/leased", get(leased))
        .route("/strict", get(strict));
}
