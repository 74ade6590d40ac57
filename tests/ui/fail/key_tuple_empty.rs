use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = ())]
async fn handler() {}

fn main() {}
