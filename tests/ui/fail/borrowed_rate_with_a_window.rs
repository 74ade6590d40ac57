use ratelimit::rate_limit;

#[rate_limit(rate = "60/minute")]
async fn handler() {}

fn main() {}
