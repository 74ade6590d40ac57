use ratelimit::rate_limit;

#[rate_limit(limit = "unlimited")]
async fn handler() {}

fn main() {}
