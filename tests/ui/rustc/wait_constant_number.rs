use ratelimit::rate_limit;

const WAIT: u64 = 500;

#[rate_limit(limit = 60, wait = WAIT)]
async fn handler() {}

fn main() {}
