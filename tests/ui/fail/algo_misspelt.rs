use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_buckett")]
async fn handler() {}

fn main() {}
