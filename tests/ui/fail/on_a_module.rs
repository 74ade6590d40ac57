use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
mod api {}

fn main() {}
