use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
struct Handler;

fn main() {}
