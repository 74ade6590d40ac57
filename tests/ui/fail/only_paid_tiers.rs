use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", pro = 600, enterprise = 6000)]
async fn handler() {}

fn main() {}
