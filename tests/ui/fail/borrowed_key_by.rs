use ratelimit::rate_limit;

#[rate_limit(limit = 60, key_by = ip)]
async fn handler() {}

fn main() {}
