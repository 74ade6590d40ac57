use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free(60, "1m"))]
async fn handler() {}

fn main() {}
