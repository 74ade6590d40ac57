use axum::http::request::Parts;
use ratelimit::rate_limit;

fn answer(_: &Parts) -> &'static str {
    "slow down"
}

#[rate_limit(limit = 60, on_limited = answer)]
async fn handler() {}

fn main() {}
