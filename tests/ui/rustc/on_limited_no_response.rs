use ratelimit::{RateLimitExceeded, rate_limit};

struct NoResponse;

fn answer(_: &RateLimitExceeded) -> NoResponse {
    NoResponse
}

#[rate_limit(limit = 60, on_limited = answer)]
async fn handler() {}

fn main() {}
