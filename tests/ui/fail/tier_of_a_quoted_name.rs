use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers("my-tier"))]
async fn handler() {}

fn main() {}
