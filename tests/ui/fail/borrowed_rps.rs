use ratelimit::rate_limit;

#[rate_limit(rps = 10)]
async fn handler() {}

fn main() {}
