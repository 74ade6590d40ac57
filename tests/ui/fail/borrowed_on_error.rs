use ratelimit::rate_limit;

#[rate_limit(limit = 60, on_error = "allow")]
async fn handler() {}

fn main() {}
