use ratelimit::rate_limit;

#[rate_limit]
async fn empty() {}

#[rate_limit()]
async fn also_empty() {}

#[rate_limit(per = "1m")]
async fn a_window_of_nothing() {}

#[rate_limit(tier_header = "X-API-Key", free = unlimited, pro = unlimited)]
async fn unlimited() {}

fn main() {}
