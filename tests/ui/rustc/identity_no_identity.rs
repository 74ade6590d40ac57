use axum::{Router, extract::FromRequestParts, http::request::Parts, routing::get};
use ratelimit::rate_limit;

struct User;

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = ();

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, ()> {
        Ok(Self)
    }
}

#[rate_limit(identity = User, free = 60)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
