#![no_implicit_prelude]
#![deny(warnings)]

//! Where names mean something else.

#[allow(dead_code)]
mod std {}

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

mod renamed {
    pub(super) mod limits {
        pub(crate) use ::ratelimit::*;
    }
}

#[::ratelimit::rate_limit(limit = 5)]
async fn shadowed(_: ::axum::http::Method) -> &'static str {
    "x"
}

#[::ratelimit::rate_limit(tier_header = "X-API-Key", free = 5, crate = crate::renamed::limits)]
async fn renamed_crate() {}

fn main() {
    let _: ::axum::Router = ::axum::Router::new()
        .route("/1", ::axum::routing::get(shadowed))
        .route("/2", ::axum::routing::get(renamed_crate));
}
