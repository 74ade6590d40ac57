use ratelimit::rate_limit;

#[rate_limit(limit = 60, shadow, shadow)]
async fn handler() {}

fn main() {}
