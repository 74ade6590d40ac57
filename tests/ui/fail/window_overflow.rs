use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "99999999999999999999s")]
async fn handler() {}

fn main() {}
