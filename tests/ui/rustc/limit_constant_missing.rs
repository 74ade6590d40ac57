use ratelimit::rate_limit;

#[rate_limit(limit = LIMIT)]
async fn handler() {}

fn main() {}
