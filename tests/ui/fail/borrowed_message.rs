use ratelimit::rate_limit;

#[rate_limit(limit = 60, message = "slow down")]
async fn handler() {}

fn main() {}
