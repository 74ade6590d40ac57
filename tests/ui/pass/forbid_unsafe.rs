#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]

//! `forbid(unsafe_code)`.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
