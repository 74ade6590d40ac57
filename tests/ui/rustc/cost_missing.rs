use ratelimit::rate_limit;

#[rate_limit(limit = 60, cost = cost)]
async fn handler() {}

fn main() {}
