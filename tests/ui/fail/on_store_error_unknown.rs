use ratelimit::rate_limit;

#[rate_limit(limit = 60, on_store_error = "ignore")]
async fn handler() {}

fn main() {}
