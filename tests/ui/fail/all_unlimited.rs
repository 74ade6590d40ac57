use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = unlimited, pro = unlimited)]
async fn handler() {}

fn main() {}
