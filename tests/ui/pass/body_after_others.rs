#![deny(warnings, missing_docs, unreachable_pub)]

//! A body behind other arguments.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(method: Method, text: String) -> String {
    format!("{method} {text}")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
