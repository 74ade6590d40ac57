use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_bucket", burst = unlimited)]
async fn handler() {}

fn main() {}
