use ratelimit::rate_limit;

#[rate_limit(identity, free = 60)]
async fn handler() {}

fn main() {}
