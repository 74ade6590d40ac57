use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "1m", limit = 50)]
async fn handler() {}

fn main() {}
