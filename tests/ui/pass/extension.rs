#![deny(warnings, missing_docs, unreachable_pub)]

//! `Extension`.

use axum::{Extension, Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(Extension(n): Extension<u32>) -> String {
    n.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
