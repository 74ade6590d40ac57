use ratelimit::rate_limit;

#[rate_limit(limit = 60, name = "a\tb")]
async fn handler() {}

fn main() {}
