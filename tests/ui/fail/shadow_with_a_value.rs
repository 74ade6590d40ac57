use ratelimit::rate_limit;

#[rate_limit(limit = 60, shadow = true)]
async fn handler() {}

fn main() {}
