#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[tracing::instrument]` above.

use axum::{Router, http::Uri, routing::get};
use ratelimit::rate_limit;

#[tracing::instrument]
#[rate_limit(limit = 5)]
async fn handler(uri: Uri) -> String {
    uri.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
