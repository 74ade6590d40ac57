use ratelimit::rate_limit;

#[rate_limit(policy = "Shared")]
async fn handler() {}

fn main() {}
