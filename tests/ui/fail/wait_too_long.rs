use ratelimit::rate_limit;

#[rate_limit(limit = 60, wait = "2h")]
async fn handler() {}

fn main() {}
