#![deny(warnings, missing_docs, unreachable_pub)]

//! `#[expect]` and `#[deprecated]` below.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
#[expect(unused_variables)]
#[deprecated]
async fn handler(method: Method) {}

fn main() {
    #[allow(deprecated)]
    let _: Router = Router::new().route("/", get(handler));
}
