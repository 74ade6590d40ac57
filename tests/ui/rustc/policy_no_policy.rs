use ratelimit::rate_limit;

struct Shared;

#[rate_limit(policy = Shared)]
async fn handler() {}

fn main() {}
