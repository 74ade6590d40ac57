#![deny(warnings, missing_docs, unreachable_pub)]

//! A policy whose callers have an identity.

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    routing::get,
};
use ratelimit::{Identified, Identity, policy, rate_limit};

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

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new(self.id.to_string()).on_tier(&self.plan))
    }
}

policy! { Shared: identity = User, free = 60, pro = 600 }

#[rate_limit(policy = Shared)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
