use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = path("org", "id"))]
async fn handler() {}

fn main() {}
