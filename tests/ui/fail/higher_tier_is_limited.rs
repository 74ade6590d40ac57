use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = unlimited, enterprise = 6000)]
async fn handler() {}

fn main() {}
