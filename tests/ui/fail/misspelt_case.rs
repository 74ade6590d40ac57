use ratelimit::rate_limit;

#[rate_limit(Limit = 60)]
async fn handler() {}

fn main() {}
