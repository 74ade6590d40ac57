use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = Key::Ip)]
async fn handler() {}

fn main() {}
