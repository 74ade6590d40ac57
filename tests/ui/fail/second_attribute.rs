use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
#[rate_limit(limit = 0)]
async fn handler() {}

fn main() {}
