#![deny(warnings, missing_docs, unreachable_pub)]

//! A burst.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_bucket", burst = 20)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
