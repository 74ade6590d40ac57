#![deny(warnings, missing_docs, unreachable_pub)]

//! A whole `Response`.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler() -> Response {
    "answer".into_response()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
