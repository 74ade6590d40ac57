#![deny(warnings, missing_docs, unreachable_pub)]

//! A policy as a layer.

use axum::{Router, routing::get};
use ratelimit::{RateLimitLayer, policy};

policy! { Shared: limit = 60 }

async fn handler() {}

fn main() {
    let _: Router = Router::new()
        .route("/", get(handler))
        .layer(RateLimitLayer::<Shared>::new());
}
