use axum::{Router, routing::get};
use ratelimit::{Identified, Identity, rate_limit};

struct User;

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        None
    }
}

#[rate_limit(identity = User, free = 60)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
