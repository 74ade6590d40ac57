use ratelimit::rate_limit;

#[rate_limit(per = "1m")]
async fn handler() {}

fn main() {}
