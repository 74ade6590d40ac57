use ratelimit::rate_limit;

#[rate_limit(limit = 60s)]
async fn handler() {}

fn main() {}
