use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = "ip")]
async fn handler() {}

fn main() {}
