use ratelimit::rate_limit;

#[rate_limit(limit = 60, quickly)]
async fn handler() {}

fn main() {}
