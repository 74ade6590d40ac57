use axum::{Router, routing::get};
use ratelimit::rate_limit;

struct NoExtractor;

#[rate_limit(limit = 60)]
async fn handler(_: NoExtractor) {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
