use axum::debug_handler;
use ratelimit::rate_limit;

#[debug_handler]
#[rate_limit(limit = 60)]
async fn handler() {}

fn main() {}
