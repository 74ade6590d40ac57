use ratelimit::rate_limit;

#[rate_limit(limit = 60, fail_open)]
async fn handler() {}

fn main() {}
