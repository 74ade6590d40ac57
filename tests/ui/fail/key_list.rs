use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = [ip, host])]
async fn handler() {}

fn main() {}
