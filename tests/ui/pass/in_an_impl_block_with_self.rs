#![deny(warnings, missing_docs, unreachable_pub)]

//! A function in an `impl` block that speaks of `Self`.

use axum::{Router, extract::State, routing::get};
use ratelimit::{policy, rate_limit};

policy! { Shared: limit = 60 }

#[derive(Clone)]
struct Service;

impl Service {
    #[rate_limit(policy = Shared)]
    async fn show(State(service): State<Self>) -> &'static str {
        let Self = service;
        Self::text()
    }

    fn text() -> &'static str {
        "text"
    }
}

fn main() {
    let _: Router = Router::new()
        .route("/", get(Service::show))
        .with_state(Service);
}
