#![deny(warnings, missing_docs, unreachable_pub)]

//! A body by `Json`.

use axum::{Json, Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(Json(numbers): Json<Vec<u32>>) -> Json<Vec<u32>> {
    Json(numbers)
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
