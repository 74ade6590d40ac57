#![deny(warnings, missing_docs, unreachable_pub)]

//! Handlers that are configured away, or not.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[cfg(any())]
#[rate_limit(limit = 5)]
async fn handler(_: NoSuchType) {}

#[rate_limit(limit = 5)]
#[cfg(all())]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
