#![deny(warnings, missing_docs, unreachable_pub)]

//! A policy by its path.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

/// What is allowed.
pub mod limits {
    ratelimit::policy! {
        /// Searches.
        pub Search: tier_header = "X-API-Key", free = 60, pro = 600
    }
}

#[rate_limit(policy = limits::Search)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
