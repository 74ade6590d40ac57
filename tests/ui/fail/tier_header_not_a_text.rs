use ratelimit::rate_limit;

#[rate_limit(tier_header = x_api_key, free = 60)]
async fn handler() {}

fn main() {}
