use axum::extract::FromRequestParts;
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(_: impl FromRequestParts<()>) {}

fn main() {}
