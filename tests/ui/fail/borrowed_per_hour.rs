use ratelimit::rate_limit;

#[rate_limit(per_hour = 600)]
async fn handler() {}

fn main() {}
