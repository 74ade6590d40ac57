use axum::extract::Request;
use ratelimit::rate_limit;

fn cost(_: &Request) -> u32 {
    1
}

#[rate_limit(limit = 60, cost = cost)]
async fn handler() {}

fn main() {}
