#![deny(warnings, missing_docs, unreachable_pub)]

//! The attribute by `cfg_attr`.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[cfg_attr(all(), rate_limit(limit = 5))]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
