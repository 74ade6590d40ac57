use ratelimit::{RateLimitExceeded, rate_limit};

async fn answer(_: &RateLimitExceeded) -> &'static str {
    "slow down"
}

#[rate_limit(limit = 60, on_limited = answer)]
async fn handler() {}

fn main() {}
