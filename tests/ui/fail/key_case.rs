use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = IP)]
async fn handler() {}

fn main() {}
