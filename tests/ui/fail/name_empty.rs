use ratelimit::rate_limit;

#[rate_limit(limit = 60, name = "")]
async fn handler() {}

fn main() {}
