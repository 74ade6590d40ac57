use ratelimit::rate_limit;

#[rate_limit(limit = 600, algo = "token_bucket", burst = 20, cost = 20, lease)]
async fn handler() {}

fn main() {}
