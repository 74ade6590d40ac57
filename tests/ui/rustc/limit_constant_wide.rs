use ratelimit::rate_limit;

const LIMIT: u64 = 60;

#[rate_limit(limit = LIMIT)]
async fn handler() {}

fn main() {}
