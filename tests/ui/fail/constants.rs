use std::time::Duration;

use ratelimit::rate_limit;

const ZERO: u32 = 0;
const TOO_MANY: u32 = 2_000_000;
const WIDE: u64 = 60;
const AGES: Duration = Duration::MAX;
const SECONDS: u64 = 30;

#[rate_limit(limit = ZERO)]
async fn zero() {}

#[rate_limit(limit = TOO_MANY, per = "1s")]
async fn more_than_one_a_microsecond() {}

#[rate_limit(limit = WIDE)]
async fn of_another_type() {}

#[rate_limit(limit = 60, per = SECONDS)]
async fn not_a_duration() {}

#[rate_limit(limit = 60, per = Duration::ZERO)]
async fn no_window() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, per = AGES))]
async fn too_long_a_window() {}

#[rate_limit(limit = 60, algo = "token_bucket", burst = ZERO)]
async fn no_burst() {}

#[rate_limit(limit = MISSING)]
async fn missing() {}

fn main() {}
