use axum::http::request::Parts;
use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = |parts: &Parts| parts.headers.len())]
async fn handler() {}

fn main() {}
