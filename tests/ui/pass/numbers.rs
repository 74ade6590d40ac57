#![deny(warnings, missing_docs, unreachable_pub)]

//! Numbers as Rust writes them.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 1_000)]
async fn underscores() {}

#[rate_limit(limit = 5u32)]
async fn suffix() {}

#[rate_limit(limit = 0xff)]
async fn hexadecimal() {}

#[rate_limit(limit = (5))]
async fn parentheses() {}

fn main() {
    let _: Router = Router::new()
        .route("/underscores", get(underscores))
        .route("/suffix", get(suffix))
        .route("/hexadecimal", get(hexadecimal))
        .route("/parentheses", get(parentheses));
}
