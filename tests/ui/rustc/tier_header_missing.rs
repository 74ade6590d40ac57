use ratelimit::rate_limit;

#[rate_limit(tier_header = API_KEY, free = 60)]
async fn handler() {}

fn main() {}
