use ratelimit::rate_limit;

const COST: u64 = 2;

#[rate_limit(limit = 60, cost = COST)]
async fn handler() {}

fn main() {}
