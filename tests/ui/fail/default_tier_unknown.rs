use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, default_tier = "basic")]
async fn handler() {}

fn main() {}
