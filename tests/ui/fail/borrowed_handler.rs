use ratelimit::rate_limit;

#[rate_limit(limit = 60, handler = too_many)]
async fn handler() {}

fn main() {}
