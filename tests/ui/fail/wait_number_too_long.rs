use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait = 5000)]
async fn handler() {}

fn main() {}
