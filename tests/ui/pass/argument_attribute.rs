#![deny(warnings, missing_docs, unreachable_pub)]

//! A lint at an argument.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(#[expect(unused_variables)] method: Method) {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
