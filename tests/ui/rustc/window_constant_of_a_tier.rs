use std::time::Duration;

use ratelimit::rate_limit;

const WINDOW: Duration = Duration::ZERO;

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, per = WINDOW))]
async fn handler() {}

fn main() {}
