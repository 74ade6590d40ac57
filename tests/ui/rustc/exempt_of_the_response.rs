use axum::response::Response;
use ratelimit::rate_limit;

fn exempt(_: &Response) -> bool {
    true
}

#[rate_limit(limit = 60, exempt = exempt)]
async fn handler() {}

fn main() {}
