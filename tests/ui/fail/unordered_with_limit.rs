use ratelimit::rate_limit;

#[rate_limit(limit = 60, unordered)]
async fn handler() {}

fn main() {}
