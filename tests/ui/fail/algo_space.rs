use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token bucket")]
async fn handler() {}

fn main() {}
