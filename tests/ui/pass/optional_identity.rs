#![deny(warnings, missing_docs, unreachable_pub)]

//! Callers by an identity, or none.

use axum::{
    Router,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
    routing::get,
};
use ratelimit::{Identified, Identity, rate_limit};

struct User {
    id: u64,
    plan: String,
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Err(StatusCode::UNAUTHORIZED)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, StatusCode> {
        Ok(None)
    }
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new(self.id.to_string()).on_tier(&self.plan))
    }
}

#[rate_limit(identity = Option<User>, free = 60, pro = 600)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
