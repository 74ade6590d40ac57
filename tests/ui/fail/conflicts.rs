use ratelimit::rate_limit;

#[rate_limit(limit = 60, tier_header = "X-API-Key", free = 60)]
async fn limit_and_tiers() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, limit = 60)]
async fn tiers_and_limit() {}

#[rate_limit(limit = 60, default_tier = "free")]
async fn default_tier_without_tiers() {}

#[rate_limit(limit = 60, per = "1m", limit = 50)]
async fn twice() {}

#[rate_limit(tier_header = "X-API-Key", identity = User, free = 60)]
async fn key_and_identity() {}

#[rate_limit(limit = 60, wait = "1s", shadow)]
async fn shadow_and_wait() {}

#[rate_limit(policy = Shared, limit = 60, burst = 5)]
async fn policy_and_more() {}

#[rate_limit(identity = User, free = 60)]
#[rate_limit(identity = Option<User>, free = 6, per = "1s")]
async fn two_identities() {}

fn main() {}
