#![deny(warnings, missing_docs, unreachable_pub)]

//! Each key there is.

use axum::{Router, http::request::Parts, routing::get};
use ratelimit::rate_limit;

fn query(parts: &Parts) -> Option<&str> {
    parts.uri.query()
}

/// Its name resembles the word `host`.
fn hosts(parts: &Parts) -> usize {
    parts.headers.get_all("host").iter().count()
}

#[rate_limit(limit = 5, key = ip)]
async fn ip() {}

#[rate_limit(limit = 5, key = global)]
async fn global() {}

#[rate_limit(limit = 5, key = caller)]
async fn caller() {}

#[rate_limit(limit = 5, key = header("X-Tenant"))]
async fn header() {}

#[rate_limit(limit = 5, key = path("id"))]
async fn path() {}

#[rate_limit(limit = 5, key = host)]
async fn host() {}

#[rate_limit(limit = 5, key = query)]
async fn function() {}

#[rate_limit(limit = 5, key = hosts)]
async fn resembling() {}

#[rate_limit(limit = 5, key = |parts: &Parts| parts.headers.len() as u64)]
async fn closure() {}

#[rate_limit(limit = 5, key = (ip, host, path("id")))]
async fn several() {}

fn main() {
    let _: Router = Router::new()
        .route("/ip/{id}", get(ip))
        .route("/global/{id}", get(global))
        .route("/caller/{id}", get(caller))
        .route("/header/{id}", get(header))
        .route("/path/{id}", get(path))
        .route("/host/{id}", get(host))
        .route("/function/{id}", get(function))
        .route("/resembling/{id}", get(resembling))
        .route("/closure/{id}", get(closure))
        .route("/several/{id}", get(several));
}
