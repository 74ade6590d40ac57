#![deny(warnings, missing_docs, unreachable_pub)]

//! An `Option` of an extractor.

use axum::{Router, extract::Path, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(id: Option<Path<u32>>) -> String {
    format!("{:?}", id.map(|Path(id)| id))
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
