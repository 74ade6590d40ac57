use ratelimit::rate_limit;

#[rate_limit(limit =)]
async fn handler() {}

fn main() {}
