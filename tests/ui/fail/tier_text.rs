use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, internal = "unlimited")]
async fn handler() {}

fn main() {}
