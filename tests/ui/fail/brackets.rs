use ratelimit::rate_limit;

#[rate_limit(limit[60])]
async fn handler() {}

fn main() {}
