use ratelimit::rate_limit;

const SECONDS: u64 = 30;

#[rate_limit(limit = 60, per = SECONDS)]
async fn handler() {}

fn main() {}
