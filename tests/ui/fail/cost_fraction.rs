use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = 1.5)]
async fn handler() {}

fn main() {}
