use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait = 500)]
async fn handler() {}

fn main() {}
