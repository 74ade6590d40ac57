#![deny(warnings, missing_docs, unreachable_pub)]

//! `HeaderMap`.

use axum::{Router, http::HeaderMap, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(headers: HeaderMap) -> HeaderMap {
    headers
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
