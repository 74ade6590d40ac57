use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 131_073, per = "1h")]
async fn handler() {}

fn main() {}
