#![deny(warnings, missing_docs, unreachable_pub)]

//! A body as `Bytes`.

use axum::{Router, body::Bytes, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(bytes: Bytes) -> Bytes {
    bytes
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
