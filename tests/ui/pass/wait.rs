#![deny(warnings, missing_docs, unreachable_pub)]

//! Requests that wait.

use std::time::Duration;

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, wait = "500ms")]
async fn text() {}

#[rate_limit(limit = 5, wait = Duration::from_secs(2))]
async fn constant() {}

fn main() {
    let _: Router = Router::new()
        .route("/text", get(text))
        .route("/constant", get(constant));
}
