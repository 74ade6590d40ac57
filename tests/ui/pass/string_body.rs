#![deny(warnings, missing_docs, unreachable_pub)]

//! A body as a `String`.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(text: String) -> String {
    text
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
