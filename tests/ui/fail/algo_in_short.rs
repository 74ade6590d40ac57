use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "sliding")]
async fn handler() {}

fn main() {}
