use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = hots)]
async fn handler() {}

fn main() {}
