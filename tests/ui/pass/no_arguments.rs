#![deny(warnings, missing_docs, unreachable_pub)]

//! No arguments.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
