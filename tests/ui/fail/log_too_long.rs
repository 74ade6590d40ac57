use ratelimit::rate_limit;

#[rate_limit(limit = 131_073, per = "1h")]
async fn handler() {}

fn main() {}
