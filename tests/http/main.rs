//! Annotated handlers over real HTTP: what a client gets to see.

mod addresses;
mod admin;
mod answers;
mod api_keys;
mod cancellation;
mod identity;
mod limiters;
mod log_floods;
mod notices;
mod operate;
mod options;
mod outage;
mod shapes;
mod stores;
mod tier_look_ups;
mod uploads;

use std::time::Duration;

use axum::body::Body;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ratelimit::{Builder, ManualClock, MemoryStore, RateLimiter, StaticTiers};
use ratelimit_tests::RedisServer;

/// The API keys that the tests' limiters know.
const KEYS: [(&str, &str); 4] = [
    ("k-free", "free"),
    ("k-pro", "pro"),
    ("k-internal", "internal"),
    ("k-gold", "gold"),
];

/// A limiter on each store, with a clock that stands still; `test` keeps them apart in Redis.
async fn limiters(test: &str) -> [(RateLimiter, ManualClock); 2] {
    limiters_with(test, |builder| builder).await
}

/// The same with settings of the test's own.
async fn limiters_with(
    test: &str,
    settings: impl Fn(Builder) -> Builder,
) -> [(RateLimiter, ManualClock); 2] {
    let build = |builder: Builder| {
        settings(builder.tiers(StaticTiers::new(KEYS)))
            .build()
            .expect("nothing is wrong with it")
    };
    let clock = ManualClock::new();
    let memory = MemoryStore::new().with_clock(clock.clone());
    let memory = build(RateLimiter::builder().store(memory));
    let redis_clock = ManualClock::new();
    let store = RedisServer::shared()
        .builder()
        .prefix(format!("{test}:"))
        .clock(redis_clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let redis = build(RateLimiter::builder().store(store));
    [(memory, clock), (redis, redis_clock)]
}

/// A limiter on a server of the test's own, which waits for its answers.
async fn limiter_on(server: &RedisServer) -> RateLimiter {
    let builder = RateLimiter::builder().store(server.store().await);
    builder.build().expect("nothing is wrong with it")
}

/// How long an application waits for Redis if it does not say otherwise.
const USUAL_TIMEOUT: Duration = Duration::from_millis(100);

/// The same, which waits no longer than an application's does.
async fn impatient_limiter_on(server: &RedisServer) -> RateLimiter {
    let store = server.builder().timeout(USUAL_TIMEOUT).connect().await;
    let builder = RateLimiter::builder().store(store.expect("a redis-server"));
    builder.build().expect("nothing is wrong with it")
}

/// A client that speaks HTTP/2 without negotiating it.
fn http2() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http()
}
