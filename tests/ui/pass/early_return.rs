#![deny(warnings, missing_docs, unreachable_pub)]

//! An early return.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(method: Method) -> &'static str {
    if method == Method::HEAD {
        return "head";
    }
    "other"
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
