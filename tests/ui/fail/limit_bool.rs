use ratelimit::rate_limit;

#[rate_limit(limit = true)]
async fn handler() {}

fn main() {}
