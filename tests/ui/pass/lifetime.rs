#![deny(warnings, missing_docs, unreachable_pub)]

//! A lifetime in a type.

use axum::{Router, extract::State, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(State(text): State<&'static str>) -> &'static str {
    text
}

fn main() {
    let _: Router = Router::new().route("/", get(handler)).with_state("text");
}
