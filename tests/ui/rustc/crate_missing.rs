use ratelimit::rate_limit;

#[rate_limit(limit = 60, crate = ::limits)]
async fn handler() {}

fn main() {}
