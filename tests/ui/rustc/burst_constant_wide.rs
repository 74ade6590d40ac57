use ratelimit::rate_limit;

const BURST: usize = 20;

#[rate_limit(limit = 60, algo = "token_bucket", burst = BURST)]
async fn handler() {}

fn main() {}
