use axum::http::request::Parts;
use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = |_: &Parts| ())]
async fn handler() {}

fn main() {}
