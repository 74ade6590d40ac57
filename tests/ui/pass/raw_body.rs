#![deny(warnings, missing_docs, unreachable_pub)]

//! A `Body` that is not read.

use axum::{Router, body::Body, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(body: Body) -> Body {
    body
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
