use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = true)]
async fn handler() {}

fn main() {}
