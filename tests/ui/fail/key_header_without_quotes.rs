use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = X-Tenant)]
async fn handler() {}

fn main() {}
