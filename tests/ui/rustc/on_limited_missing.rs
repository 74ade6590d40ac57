use ratelimit::rate_limit;

#[rate_limit(limit = 60, on_limited = too_many)]
async fn handler() {}

fn main() {}
