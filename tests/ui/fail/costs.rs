use ratelimit::rate_limit;

const COST: u32 = 61;

#[rate_limit(limit = 60, cost = 0)]
async fn zero() {}

#[rate_limit(limit = 60, cost = 61)]
async fn above_the_limit() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, algo = "token_bucket", burst = 20, cost = 21)]
async fn above_the_burst() {}

#[rate_limit(limit = 60, cost = COST)]
async fn constant() {}

fn main() {}
