use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers(gold = 500, free = 50))]
async fn handler() {}

fn main() {}
