use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
#[rate_limit()]
async fn handler() {}

fn main() {}
