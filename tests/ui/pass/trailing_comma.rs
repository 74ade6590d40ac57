#![deny(warnings, missing_docs, unreachable_pub)]

//! A comma behind the last option.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, per = "1m")]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
