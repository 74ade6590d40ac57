use ratelimit::rate_limit;

#[rate_limit(per_minute = 60)]
async fn handler() {}

fn main() {}
