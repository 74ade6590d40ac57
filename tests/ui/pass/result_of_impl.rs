#![deny(warnings, missing_docs, unreachable_pub)]

//! A `Result` of `impl IntoResponse`.

use axum::{
    Router,
    http::{Method, StatusCode},
    response::IntoResponse,
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(method: Method) -> Result<impl IntoResponse, StatusCode> {
    if method == Method::HEAD {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    Ok("answer")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
