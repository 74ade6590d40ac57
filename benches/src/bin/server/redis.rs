//! Limits in Redis, which are not used up, for each API key.

use std::{error::Error, time::Duration};

use axum::{Router, routing::get};
use axum_limit::{LimitState, RedisBackend, SlidingWindowLimit, SlidingWindowPolicy};
use ratelimit::{RateLimiter, RedisStore, rate_limit};
use ratelimit_benches::api_key::ApiKey;

type Made = Result<Router, Box<dyn Error>>;

#[rate_limit(
    tier_header = "X-API-Key",
    free = 60,
    pro = 100_000,
    per = "1m",
    algo = "sliding_window"
)]
async fn limited() -> &'static str {
    "Hello, world!"
}

/// Its tiers are in Redis, too. It gives up on Redis only after longer than it stands still while
/// others have their turns.
pub(super) async fn ratelimit(redis: &str) -> Made {
    let store = RedisStore::builder(redis).timeout(Duration::from_secs(1));
    RateLimiter::builder()
        .store(store.connect().await?)
        .build()?
        .install()?;
    Ok(Router::new().route("/", get(limited)))
}

async fn extracted(_: SlidingWindowLimit<100_000, 60_000, ApiKey, RedisBackend>) -> &'static str {
    "Hello, world!"
}

pub(super) async fn axum_limit(redis: &str) -> Made {
    let backend = RedisBackend::connect(redis).await?;
    let state = LimitState::<ApiKey, SlidingWindowPolicy, _>::new(backend);
    Ok(Router::new().route("/", get(extracted)).with_state(state))
}
