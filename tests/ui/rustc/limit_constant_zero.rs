use ratelimit::rate_limit;

const LIMIT: u32 = 0;

#[rate_limit(limit = LIMIT)]
async fn handler() {}

fn main() {}
