use ratelimit::rate_limit;

#[rate_limit(tier_haeder = "X-API-Key", free = 60)]
async fn handler() {}

fn main() {}
