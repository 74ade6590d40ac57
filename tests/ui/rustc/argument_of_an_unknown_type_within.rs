use axum::extract::State;
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(_: State<Missing>) {}

fn main() {}
