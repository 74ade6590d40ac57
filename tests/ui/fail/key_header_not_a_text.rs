use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = header(X_TENANT))]
async fn handler() {}

fn main() {}
