use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = minute)]
async fn handler() {}

fn main() {}
