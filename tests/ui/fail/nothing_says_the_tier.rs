use ratelimit::rate_limit;

#[rate_limit(free = 60, pro = 600)]
async fn handler() {}

fn main() {}
