#![deny(warnings, missing_docs, unreachable_pub)]

//! A `Result` of an extractor.

use axum::{Json, Router, extract::rejection::JsonRejection, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(json: Result<Json<u32>, JsonRejection>) -> String {
    match json {
        Ok(Json(number)) => number.to_string(),
        Err(rejection) => rejection.to_string(),
    }
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
