use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "fixed_window", burst = 20)]
async fn handler() {}

fn main() {}
