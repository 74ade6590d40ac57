#![deny(warnings, missing_docs, unreachable_pub)]

//! A shared policy and a limit of one's own.

use axum::{Router, routing::get};
use ratelimit::{policy, rate_limit};

policy! { Shared: limit = 100, per = "1h" }

#[rate_limit(policy = Shared)]
#[rate_limit(limit = 5, per = "1s")]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
