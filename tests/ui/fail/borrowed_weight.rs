use ratelimit::rate_limit;

#[rate_limit(limit = 60, weight = 5)]
async fn handler() {}

fn main() {}
