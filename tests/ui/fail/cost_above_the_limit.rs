use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = 61)]
async fn handler() {}

fn main() {}
