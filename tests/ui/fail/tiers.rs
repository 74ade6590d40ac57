use ratelimit::rate_limit;

#[rate_limit(free = 60, pro = 600)]
async fn nothing_says_which() {}

#[rate_limit(tier_header = "X-API-Key", pro = 600, enterprise = 6000)]
async fn nobody_elses() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, default_tier = "fre")]
async fn misspelt_default() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro)]
async fn no_limit() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro(per = "1s"))]
async fn no_limit_in_a_group() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers(gold = 5, free = 6))]
async fn twice() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers("" = 5))]
async fn no_name() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, tiers = 5)]
async fn not_a_group() {}

fn main() {}
