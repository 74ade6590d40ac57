use ratelimit::rate_limit;

#[rate_limit(quota = 60)]
async fn handler() {}

fn main() {}
