use ratelimit::rate_limit;

#[rate_limit(limit = 60, lease, strict)]
async fn handler() {}

fn main() {}
