use ratelimit::rate_limit;

#[rate_limit(policy)]
async fn handler() {}

fn main() {}
