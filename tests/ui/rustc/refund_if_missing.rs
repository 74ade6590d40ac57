use ratelimit::rate_limit;

#[rate_limit(limit = 60, refund_if = has_logged_in)]
async fn handler() {}

fn main() {}
