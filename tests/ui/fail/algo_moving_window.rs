use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "moving_window")]
async fn handler() {}

fn main() {}
