use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = 0)]
async fn handler() {}

fn main() {}
