use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = header("Host"))]
async fn handler() {}

fn main() {}
