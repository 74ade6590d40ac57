use ratelimit::rate_limit;

#[rate_limit(policy = Shared, limit = 60)]
async fn handler() {}

fn main() {}
