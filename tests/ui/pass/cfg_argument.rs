#![deny(warnings, missing_docs, unreachable_pub)]

//! Arguments that are configured away, or not.

use axum::{
    Router,
    http::{Method, Uri},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(#[cfg(any())] _: NoSuchType, #[cfg(all())] method: Method, uri: Uri) -> String {
    format!("{method} {uri}")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
