use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = cookie("session"))]
async fn handler() {}

fn main() {}
