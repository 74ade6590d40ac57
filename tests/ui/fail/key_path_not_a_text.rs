use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = path(id))]
async fn handler() {}

fn main() {}
