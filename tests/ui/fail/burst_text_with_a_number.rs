use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_bucket", burst = "20")]
async fn handler() {}

fn main() {}
