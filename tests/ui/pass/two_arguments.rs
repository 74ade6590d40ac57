#![deny(warnings, missing_docs, unreachable_pub)]

//! Two arguments.

use axum::{
    Router,
    http::{Method, Uri},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(method: Method, uri: Uri) -> String {
    format!("{method} {uri}")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
