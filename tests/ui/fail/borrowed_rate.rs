use ratelimit::rate_limit;

#[rate_limit(rate = 60)]
async fn handler() {}

fn main() {}
