use ratelimit::rate_limit;

#[rate_limit(rpm = 60)]
async fn handler() {}

fn main() {}
