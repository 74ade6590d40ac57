use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = 3)]
async fn handler() {}

fn main() {}
