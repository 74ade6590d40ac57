use ratelimit::rate_limit;

#[rate_limit(limit = 60, period = "1m")]
async fn handler() {}

fn main() {}
