use ratelimit::rate_limit;

#[rate_limit(per_day = 5000)]
async fn handler() {}

fn main() {}
