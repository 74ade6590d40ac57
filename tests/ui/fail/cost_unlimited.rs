use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = unlimited)]
async fn handler() {}

fn main() {}
