#![deny(warnings, missing_docs, unreachable_pub)]

//! Handlers of several methods on a route.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn read() {}

#[rate_limit(limit = 1)]
async fn write(_: String) {}

fn main() {
    let _: Router = Router::new().route("/", get(read).post(write));
}
