use ratelimit::rate_limit;

#[rate_limit(limit = 60, host)]
async fn handler() {}

fn main() {}
