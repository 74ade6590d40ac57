use ratelimit::rate_limit;

const LIMIT: u32 = 0;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = LIMIT)]
async fn handler() {}

fn main() {}
