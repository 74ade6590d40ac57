#![deny(warnings, missing_docs, unreachable_pub)]

//! A doc comment, above and below.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

/// Above.
#[rate_limit(limit = 5)]
/// Below.
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
