use ratelimit::rate_limit;

#[rate_limit(name = "search", policy = Shared)]
async fn handler() {}

fn main() {}
