use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait = "0s")]
async fn handler() {}

fn main() {}
