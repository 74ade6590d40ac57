use axum::http::request::Parts;
use ratelimit::rate_limit;

fn refund(_: &Parts) -> bool {
    true
}

#[rate_limit(limit = 60, refund_if = refund)]
async fn handler() {}

fn main() {}
