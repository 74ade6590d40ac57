#![deny(warnings, missing_docs, unreachable_pub)]

//! Several limits of one handler.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, per = "1s")]
#[rate_limit(limit = 60, per = "1m")]
#[rate_limit(limit = 600, per = "1h", key = global)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
