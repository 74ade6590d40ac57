#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[debug_handler]` below.

use axum::{Router, debug_handler, http::Uri, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
#[debug_handler]
async fn handler(uri: Uri) -> String {
    uri.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
