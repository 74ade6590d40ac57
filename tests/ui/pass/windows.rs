#![deny(warnings, missing_docs, unreachable_pub)]

//! Windows in each unit.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, per = "500us")]
async fn micros() {}

#[rate_limit(limit = 5, per = "500ms")]
async fn millis() {}

#[rate_limit(limit = 5, per = "30s")]
async fn seconds() {}

#[rate_limit(limit = 5, per = "2m30s")]
async fn minutes() {}

#[rate_limit(limit = 5, per = "1h")]
async fn hours() {}

#[rate_limit(limit = 5, per = "366d")]
async fn days() {}

fn main() {
    let _: Router = Router::new()
        .route("/micros", get(micros))
        .route("/millis", get(millis))
        .route("/seconds", get(seconds))
        .route("/minutes", get(minutes))
        .route("/hours", get(hours))
        .route("/days", get(days));
}
