#![deny(warnings, missing_docs, unreachable_pub)]

//! Each value that a key's function returns.

use std::net::IpAddr;

use axum::{Router, http::request::Parts, routing::get};
use ratelimit::rate_limit;

fn text(parts: &Parts) -> &str {
    parts.uri.path()
}

fn owned(parts: &Parts) -> String {
    parts.uri.to_string()
}

fn address(_: &Parts) -> Option<IpAddr> {
    None
}

#[rate_limit(limit = 5, key = (text, owned, address))]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
