use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait)]
async fn handler() {}

fn main() {}
