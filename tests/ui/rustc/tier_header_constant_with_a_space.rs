use ratelimit::rate_limit;

const API_KEY: &str = "X API Key";

#[rate_limit(tier_header = API_KEY, free = 60)]
async fn handler() {}

fn main() {}
