#![deny(warnings, missing_docs, unreachable_pub)]

//! One argument.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(method: Method) -> String {
    method.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
