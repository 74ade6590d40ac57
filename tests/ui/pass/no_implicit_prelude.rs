#![no_implicit_prelude]
#![deny(warnings, missing_docs, unreachable_pub)]

//! Names that mean something else.

#[allow(dead_code)]
mod std {}

#[allow(dead_code)]
mod core {}

#[allow(dead_code)]
#[derive(::core::clone::Clone)]
enum Result {
    Ok,
    Err,
}

#[allow(dead_code)]
struct Response;

#[allow(dead_code)]
struct Policy;

#[::ratelimit::rate_limit(limit = 5, key = header("X-Tenant"))]
async fn handler(_: ::axum::http::Method) -> &'static str {
    "x"
}

fn main() {
    let _: ::axum::Router = ::axum::Router::new().route("/", ::axum::routing::get(handler));
}
