use axum::{Router, http::Method, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
    _: Method,
) {
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
