use ratelimit::rate_limit;

#[rate_limit(limit = 60, refund_if = 200)]
async fn handler() {}

fn main() {}
