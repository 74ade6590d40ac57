use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = header(x_tenant))]
async fn handler() {}

fn main() {}
