use ratelimit::rate_limit;

#[rate_limit(tier_header = "", free = 60)]
async fn handler() {}

fn main() {}
