#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[debug_handler]` below, without arguments.

use axum::{Router, debug_handler, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
#[debug_handler]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
