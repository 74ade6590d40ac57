use ratelimit::rate_limit;

#[rate_limit(limit = 60, lease = "1s")]
async fn handler() {}

fn main() {}
