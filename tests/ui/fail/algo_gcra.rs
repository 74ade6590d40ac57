use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "gcra")]
async fn handler() {}

fn main() {}
