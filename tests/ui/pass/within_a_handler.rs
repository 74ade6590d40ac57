#![deny(warnings, missing_docs, unreachable_pub)]

//! A handler within a handler.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() {
    #[rate_limit(limit = 50)]
    async fn inner() {}
    let _: Router = Router::new().route("/", get(inner));
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
