use ratelimit::rate_limit;

#[rate_limit(limit = 60, token_bucket)]
async fn handler() {}

fn main() {}
