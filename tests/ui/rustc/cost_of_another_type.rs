use axum::http::request::Parts;
use ratelimit::rate_limit;

fn cost(_: &Parts) -> u64 {
    1
}

#[rate_limit(limit = 60, cost = cost)]
async fn handler() {}

fn main() {}
