use ratelimit::rate_limit;

const COST: u32 = 61;

#[rate_limit(limit = 60, cost = COST)]
async fn handler() {}

fn main() {}
