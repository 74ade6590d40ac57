use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, internal(limit = unlimited))]
async fn handler() {}

fn main() {}
