use ratelimit::rate_limit;

#[rate_limit(limit = 60, refund_if = |response| response.status())]
async fn handler() {}

fn main() {}
