#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[tracing::instrument]` below.

use axum::{Router, http::Uri, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
#[tracing::instrument(skip_all)]
async fn handler(uri: Uri) -> String {
    uri.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
