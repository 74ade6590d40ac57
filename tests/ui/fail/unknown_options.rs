use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_bucket", brust = 20)]
async fn misspelt() {}

#[rate_limit(limit = 60, algorithm = "token_bucket")]
async fn borrowed() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, platinum = 6000)]
async fn a_tier() {}

#[rate_limit("limit" = 60)]
async fn quoted() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(limit = 600, brust = 20))]
async fn within_a_tier() {}

fn main() {}
