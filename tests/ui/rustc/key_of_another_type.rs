use axum::http::request::Parts;
use ratelimit::rate_limit;

fn key(_: &Parts) -> f64 {
    1.0
}

#[rate_limit(limit = 60, key = key)]
async fn handler() {}

fn main() {}
