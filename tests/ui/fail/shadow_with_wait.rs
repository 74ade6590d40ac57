use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait = "1s", shadow)]
async fn handler() {}

fn main() {}
