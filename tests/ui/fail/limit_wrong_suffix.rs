use ratelimit::rate_limit;

#[rate_limit(limit = 60u64)]
async fn handler() {}

fn main() {}
