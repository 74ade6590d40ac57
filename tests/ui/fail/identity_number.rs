use ratelimit::rate_limit;

#[rate_limit(identity = 5, free = 60)]
async fn handler() {}

fn main() {}
