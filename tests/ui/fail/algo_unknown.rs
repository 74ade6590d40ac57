use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "random")]
async fn handler() {}

fn main() {}
