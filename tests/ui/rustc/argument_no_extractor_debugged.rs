use axum::debug_handler;
use ratelimit::rate_limit;

struct NoExtractor;

#[debug_handler]
#[rate_limit(limit = 60)]
async fn handler(_: NoExtractor) {}

fn main() {}
