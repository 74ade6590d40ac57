use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = tenant())]
async fn handler() {}

fn main() {}
