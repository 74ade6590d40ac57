use std::time::Duration;

use ratelimit::rate_limit;

const WAIT: Duration = Duration::from_secs(3_601);

#[rate_limit(limit = 60, wait = WAIT)]
async fn handler() {}

fn main() {}
