use ratelimit::rate_limit;

#[rate_limit(limit = "60 r/m")]
async fn handler() {}

fn main() {}
