use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async extern "C" fn handler() {}

fn main() {}
