use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo)]
async fn handler() {}

fn main() {}
