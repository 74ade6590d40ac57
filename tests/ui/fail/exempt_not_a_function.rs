use ratelimit::rate_limit;

#[rate_limit(limit = 60, exempt = true)]
async fn handler() {}

fn main() {}
