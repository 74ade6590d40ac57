use ratelimit::rate_limit;

#[rate_limit(limit = 60, exempt = |_| 1)]
async fn handler() {}

fn main() {}
