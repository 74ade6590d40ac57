use ratelimit::rate_limit;

#[rate_limit(limit = 60, max_wait = "500ms")]
async fn handler() {}

fn main() {}
