use ratelimit::rate_limit;

struct Service;

#[rate_limit(limit = 60)]
impl Service {}

fn main() {}
