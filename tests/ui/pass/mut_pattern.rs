#![deny(warnings, missing_docs, unreachable_pub)]

//! An argument that is `mut`.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(mut method: Method) -> String {
    if method == Method::HEAD {
        method = Method::GET;
    }
    method.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
