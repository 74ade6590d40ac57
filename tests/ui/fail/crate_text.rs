use ratelimit::rate_limit;

#[rate_limit(limit = 60, crate = "ratelimit")]
async fn handler() {}

fn main() {}
