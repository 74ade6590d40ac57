use ratelimit::rate_limit;

#[rate_limit(limit = 60, burst = 20)]
async fn without_token_bucket() {}

#[rate_limit(limit = 60, algo = "fixed_window", burst = 20)]
async fn with_another_algorithm() {}

#[rate_limit(limit = 60, algo = "token_bucket", burst = 0)]
async fn zero() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, burst = 100))]
async fn of_a_tier() {}

#[rate_limit(limit = 1, per = "1d", algo = "token_bucket", burst = 1_000)]
async fn not_refilled_within_a_year() {}

fn main() {}
