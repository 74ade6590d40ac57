#![deny(warnings, missing_docs, unreachable_pub)]

//! A constant parameter.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler<const N: usize>() -> String {
    "x".repeat(N)
}

fn main() {
    let _: Router = Router::new().route("/", get(handler::<3>));
}
