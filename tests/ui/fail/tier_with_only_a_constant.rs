use ratelimit::rate_limit;

const PRO: u32 = 600;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(PRO))]
async fn handler() {}

fn main() {}
