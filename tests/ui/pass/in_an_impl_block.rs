#![deny(warnings, missing_docs, unreachable_pub)]

//! A function in an `impl` block.

use axum::{Router, http::Method, routing::get};
use ratelimit::{policy, rate_limit};

policy! { Shared: limit = 60 }

struct Service;

impl Service {
    #[rate_limit(policy = Shared)]
    async fn list(_: Method) -> &'static str {
        "list"
    }
}

fn main() {
    let _: Router = Router::new().route("/", get(Service::list));
}
