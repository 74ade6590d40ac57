use ratelimit::rate_limit;

#[rate_limit(limit = 60, name = search)]
async fn handler() {}

fn main() {}
