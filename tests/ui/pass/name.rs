#![deny(warnings, missing_docs, unreachable_pub)]

//! A name, and a constant one.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

const NAME: &str = "search";

#[rate_limit(limit = 5, name = "articles")]
async fn text() {}

#[rate_limit(limit = 5, name = NAME)]
async fn constant() {}

fn main() {
    let _: Router = Router::new()
        .route("/text", get(text))
        .route("/constant", get(constant));
}
