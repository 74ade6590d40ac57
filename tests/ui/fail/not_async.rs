use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
fn handler() {}

fn main() {}
