#![deny(warnings, missing_docs, unreachable_pub)]

//! A type parameter that no argument has.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler<T: Default + ToString + 'static>() -> String {
    T::default().to_string()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler::<u32>));
}
