use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "0s")]
async fn handler() {}

fn main() {}
