use ratelimit::rate_limit;

const LIMIT: u32 = 60;

#[rate_limit(limit = LIMIT, cost = 61)]
async fn handler() {}

fn main() {}
