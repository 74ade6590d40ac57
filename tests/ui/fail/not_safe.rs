use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async unsafe fn handler() {}

fn main() {}
