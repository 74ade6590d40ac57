#![deny(warnings, missing_docs, unreachable_pub)]

//! `State`.

use axum::{Router, extract::State, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(State(greeting): State<String>) -> String {
    greeting
}

fn main() {
    let _: Router = Router::new()
        .route("/", get(handler))
        .with_state(String::new());
}
