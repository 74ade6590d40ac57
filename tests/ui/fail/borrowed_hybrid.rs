use ratelimit::rate_limit;

#[rate_limit(limit = 60, hybrid)]
async fn handler() {}

fn main() {}
