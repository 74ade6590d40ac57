use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "2 weeks")]
async fn handler() {}

fn main() {}
