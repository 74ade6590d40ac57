use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 0)]
async fn handler() {}

fn main() {}
