use ratelimit::rate_limit;

#[rate_limit(limit = 0.5)]
async fn handler() {}

fn main() {}
