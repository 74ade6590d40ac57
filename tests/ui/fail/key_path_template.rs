use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = path("/users/{id}"))]
async fn handler() {}

fn main() {}
