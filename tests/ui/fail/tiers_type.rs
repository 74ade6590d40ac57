use ratelimit::rate_limit;

struct User;

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers(identity = "User"))]
async fn handler() {}

fn main() {}
