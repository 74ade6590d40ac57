use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, algo = "token_bucket"))]
async fn handler() {}

fn main() {}
