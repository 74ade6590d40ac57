#![deny(warnings, missing_docs, unreachable_pub)]

//! `impl IntoResponse`.

use axum::{Router, response::IntoResponse, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() -> impl IntoResponse {
    ([("x-answer", "42")], "answer")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
