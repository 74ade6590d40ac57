#![deny(warnings, missing_docs, unreachable_pub)]

//! A handler named by a keyword.

use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn r#type(r#in: Method) -> String {
    r#in.to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(r#type));
}
