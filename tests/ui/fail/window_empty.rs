use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "")]
async fn handler() {}

fn main() {}
