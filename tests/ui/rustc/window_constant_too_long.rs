use std::time::Duration;

use ratelimit::rate_limit;

const WINDOW: Duration = Duration::MAX;

#[rate_limit(limit = 60, per = WINDOW)]
async fn handler() {}

fn main() {}
