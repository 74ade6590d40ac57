use ratelimit::rate_limit;

const LIMIT: u32 = 200_000;

#[rate_limit(limit = LIMIT, per = "1h")]
async fn handler() {}

fn main() {}
