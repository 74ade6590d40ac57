use ratelimit::rate_limit;

#[rate_limit(60 / minute)]
async fn handler() {}

fn main() {}
