use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "1.5h")]
async fn handler() {}

fn main() {}
