#![deny(warnings, missing_docs, unreachable_pub)]

//! Types and `impl` blocks within a handler, which have a `Self` of their own.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler() -> String {
    struct Greeting(&'static str);

    impl Default for Greeting {
        fn default() -> Self {
            Self("hello")
        }
    }

    let Greeting(text) = Greeting::default();
    text.to_owned()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
