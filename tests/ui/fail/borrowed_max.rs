use ratelimit::rate_limit;

#[rate_limit(max = 60, per = "1m")]
async fn handler() {}

fn main() {}
