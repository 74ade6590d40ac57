use ratelimit::rate_limit;

#[rate_limit(per_second = 10)]
async fn handler() {}

fn main() {}
