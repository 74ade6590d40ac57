use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "5minutes")]
async fn handler() {}

fn main() {}
