#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[allow]` above.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[allow(unused_variables)]
#[rate_limit(limit = 5)]
async fn handler(method: Method) {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
