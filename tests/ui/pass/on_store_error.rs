#![deny(warnings, missing_docs, unreachable_pub)]

//! What happens without a store.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, on_store_error = "local")]
async fn local() {}

#[rate_limit(limit = 5, on_store_error = "allow")]
async fn allow() {}

#[rate_limit(limit = 5, on_store_error = "deny")]
async fn deny() {}

#[rate_limit(limit = 5, on_store_error = deny)]
async fn word() {}

fn main() {
    let _: Router = Router::new()
        .route("/local", get(local))
        .route("/allow", get(allow))
        .route("/deny", get(deny))
        .route("/word", get(word));
}
