use ratelimit::rate_limit;

#[rate_limit(limit = 60, exempt = is_internal())]
async fn handler() {}

fn main() {}
