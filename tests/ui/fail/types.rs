use axum::{Router, extract::FromRequestParts, http::request::Parts, routing::get};
use ratelimit::rate_limit;

struct NotAPolicy;

struct NotAnIdentity;

impl<S: Sync> FromRequestParts<S> for NotAnIdentity {
    type Rejection = ();

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ()> {
        Ok(Self)
    }
}

#[rate_limit(identity = NotAnIdentity, free = 60)]
async fn no_identity() {}

#[rate_limit(policy = NotAPolicy)]
async fn no_policy() {}

fn main() {
    let _: Router = Router::new().route("/", get(no_identity));
}
