use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, brust = 20))]
async fn handler() {}

fn main() {}
