use ratelimit::rate_limit;

#[rate_limit(limit = 2_000_000, per = "1s", algo = "token_bucket")]
async fn handler() {}

fn main() {}
