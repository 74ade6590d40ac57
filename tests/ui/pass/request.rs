#![deny(warnings, missing_docs, unreachable_pub)]

//! The whole `Request`.

use axum::{Router, extract::Request, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(request: Request) -> String {
    request.uri().to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
