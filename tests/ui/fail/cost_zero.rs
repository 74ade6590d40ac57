use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = 0)]
async fn handler() {}

fn main() {}
