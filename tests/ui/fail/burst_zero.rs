use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_bucket", burst = 0)]
async fn handler() {}

fn main() {}
