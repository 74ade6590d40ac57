use ratelimit::rate_limit;

#[rate_limit(limit = 1, per = "1d", algo = "token_bucket", burst = 1_000)]
async fn handler() {}

fn main() {}
