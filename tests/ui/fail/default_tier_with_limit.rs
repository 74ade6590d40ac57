use ratelimit::rate_limit;

#[rate_limit(limit = 60, default_tier = "free")]
async fn handler() {}

fn main() {}
