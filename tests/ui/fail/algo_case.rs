use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "TokenBucket")]
async fn handler() {}

fn main() {}
