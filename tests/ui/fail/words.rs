use ratelimit::rate_limit;

#[rate_limit(limit = 60, shadow = true)]
async fn a_flag_with_a_value() {}

#[rate_limit(limit = 60, on_store_error = "ignore")]
async fn unknown_mode() {}

#[rate_limit(limit = 60, wait = 500)]
async fn wait_without_a_unit() {}

#[rate_limit(limit = 60, wait = "2h")]
async fn wait_for_too_long() {}

#[rate_limit(limit = 60, exempt = true)]
async fn not_a_function() {}

#[rate_limit(limit = 60, identity)]
async fn no_identity() {}

#[rate_limit(policy)]
async fn no_policy() {}

#[rate_limit(limit = 60, dry_run)]
async fn borrowed() {}

fn main() {}
