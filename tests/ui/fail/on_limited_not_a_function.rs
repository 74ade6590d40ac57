use ratelimit::rate_limit;

#[rate_limit(limit = 60, on_limited = "slow down")]
async fn handler() {}

fn main() {}
