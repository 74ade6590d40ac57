use ratelimit::rate_limit;

const COST: u32 = 0;

#[rate_limit(limit = 60, cost = COST)]
async fn handler() {}

fn main() {}
