use ratelimit::rate_limit;

const LIMIT: u32 = 60;

#[rate_limit(tier_header = LIMIT, free = 60)]
async fn handler() {}

fn main() {}
