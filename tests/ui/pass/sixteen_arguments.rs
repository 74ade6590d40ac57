#![deny(warnings, missing_docs, unreachable_pub)]

//! Sixteen arguments, the most that axum takes.

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, Method, Uri, Version},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
#[rustfmt::skip]
async fn handler(
    _: Method, _: Method, _: Method, _: Method, _: Uri, _: Uri, _: Uri, _: Uri,
    _: Version, _: Version, _: Version, _: Version, _: HeaderMap, _: HeaderMap, _: HeaderMap,
    request: Request,
) -> String {
    request.uri().to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
