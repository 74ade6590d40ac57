use ratelimit::rate_limit;

#[rate_limit(limit = 5, lease)]
async fn handler() {}

fn main() {}
