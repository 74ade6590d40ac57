use ratelimit::rate_limit;

#[rate_limit("60")]
async fn handler() {}

fn main() {}
