#![deny(warnings, missing_docs, unreachable_pub)]

//! An extractor of one's own.

use std::convert::Infallible;

use axum::{Router, extract::FromRequestParts, http::request::Parts, routing::get};
use ratelimit::rate_limit;

struct Host(Option<String>);

impl<S: Sync> FromRequestParts<S> for Host {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.uri.host().map(str::to_owned)))
    }
}

#[rate_limit(limit = 5)]
async fn handler(Host(host): Host) -> String {
    host.unwrap_or_default()
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
