use ratelimit::rate_limit;

#[rate_limit(limit(60, "1m"))]
async fn handler() {}

fn main() {}
