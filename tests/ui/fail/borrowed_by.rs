use ratelimit::rate_limit;

#[rate_limit(limit = 60, by = ip)]
async fn handler() {}

fn main() {}
