#![deny(warnings, missing_docs, unreachable_pub)]

//! A `pub` handler.

use axum::{Router, routing::get};

/// A module that others see.
pub mod api {
    use ratelimit::rate_limit;

    /// A handler that others see.
    #[rate_limit(limit = 5)]
    pub async fn handler() {}
}

fn main() {
    let _: Router = Router::new().route("/", get(api::handler));
}
