use ratelimit::rate_limit;

#[rate_limit(limit = 60 / minute)]
async fn handler() {}

fn main() {}
