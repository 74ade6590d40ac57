#![deny(warnings, missing_docs, unreachable_pub)]

//! An argument that is `_`.

use axum::{
    Router,
    http::{Method, Uri},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(_: Method, _uri: Uri) {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
