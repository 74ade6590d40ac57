use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "leaky_bucket")]
async fn handler() {}

fn main() {}
