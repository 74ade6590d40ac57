use axum::http::HeaderMap;
use ratelimit::rate_limit;

fn key(_: &HeaderMap) -> String {
    String::new()
}

#[rate_limit(limit = 60, key = key)]
async fn handler() {}

fn main() {}
