use ratelimit::rate_limit;

const NAME: u32 = 5;

#[rate_limit(limit = 60, name = NAME)]
async fn handler() {}

fn main() {}
