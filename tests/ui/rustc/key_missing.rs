use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = user)]
async fn handler() {}

fn main() {}
