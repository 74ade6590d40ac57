use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers(gold = 1200, shadow))]
async fn handler() {}

fn main() {}
