use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "400d")]
async fn handler() {}

fn main() {}
