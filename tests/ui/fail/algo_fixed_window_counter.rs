use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "fixed_window_counter")]
async fn handler() {}

fn main() {}
