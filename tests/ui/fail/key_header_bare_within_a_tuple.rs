use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = (ip, header))]
async fn handler() {}

fn main() {}
