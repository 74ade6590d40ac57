#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[debug_handler]` above.

use axum::{Router, debug_handler, extract::State, http::Uri, routing::get};
use ratelimit::rate_limit;

#[debug_handler]
#[rate_limit(limit = 5)]
async fn handler(uri: Uri, State(()): State<()>) -> String {
    uri.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
