#![deny(warnings, missing_docs, unreachable_pub)]

//! A generic handler with `where`.

use axum::{Router, extract::State, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler<S>(State(state): State<S>) -> String
where
    S: ToString + Clone + Send + Sync + 'static,
{
    state.to_string()
}

fn main() {
    let _: Router = Router::new()
        .route("/", get(handler::<String>))
        .with_state(String::new());
}
