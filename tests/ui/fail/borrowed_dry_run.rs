use ratelimit::rate_limit;

#[rate_limit(limit = 60, dry_run)]
async fn handler() {}

fn main() {}
