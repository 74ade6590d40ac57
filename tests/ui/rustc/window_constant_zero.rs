use std::time::Duration;

use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = Duration::ZERO)]
async fn handler() {}

fn main() {}
