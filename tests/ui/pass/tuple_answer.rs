#![deny(warnings, missing_docs, unreachable_pub)]

//! A tuple.

use axum::{Router, http::StatusCode, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() -> (StatusCode, [(&'static str, &'static str); 1], String) {
    (StatusCode::CREATED, [("x-answer", "42")], String::new())
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
