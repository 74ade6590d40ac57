#![deny(warnings, missing_docs, unreachable_pub)]

//! A handler within a function.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

fn routes() -> Router {
    #[rate_limit(limit = 5)]
    async fn handler() {}
    Router::new().route("/", get(handler))
}

fn main() {
    let _: Router = Router::new().merge(routes());
}
