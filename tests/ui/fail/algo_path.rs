use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = Algorithm::TokenBucket)]
async fn handler() {}

fn main() {}
