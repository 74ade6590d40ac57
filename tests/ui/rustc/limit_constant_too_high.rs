use ratelimit::rate_limit;

const LIMIT: u32 = 2_000_000;

#[rate_limit(limit = LIMIT, per = "1s", algo = "token_bucket")]
async fn handler() {}

fn main() {}
