use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = (ip, cookie("session")))]
async fn handler() {}

fn main() {}
