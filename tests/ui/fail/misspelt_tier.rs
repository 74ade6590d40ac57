use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, enterprize = 6000)]
async fn handler() {}

fn main() {}
