use ratelimit::rate_limit;

#[rate_limit(tier_header = "X-API-Key", free = 60 pro = 600)]
async fn missing_comma() {}

#[rate_limit(limit = , per = "1m")]
async fn missing_value() {}

#[rate_limit(limit: 60)]
async fn colon() {}

#[rate_limit(60)]
async fn only_a_value() {}

#[rate_limit(limit)]
async fn only_a_name() {}

#[rate_limit(limit(60))]
async fn parentheses() {}

fn main() {}
