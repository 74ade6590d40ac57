use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = path())]
async fn handler() {}

fn main() {}
