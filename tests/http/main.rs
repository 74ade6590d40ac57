//! Annotated handlers over real HTTP: what a client gets to see.

mod answers;
mod identity;
mod limiters;
mod notices;
mod outage;
mod shapes;

use ratelimit::{ManualClock, MemoryStore, RateLimiter, RedisStore, StaticTiers};
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
    let clock = ManualClock::new();
    let memory = RateLimiter::builder()
        .store(MemoryStore::new().with_clock(clock.clone()))
        .tiers(StaticTiers::new(KEYS))
        .build()
        .expect("nothing is wrong with it");
    let redis_clock = ManualClock::new();
    let store = RedisStore::builder(RedisServer::shared().url())
        .prefix(format!("{test}:"))
        .clock(redis_clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let redis = RateLimiter::builder()
        .store(store)
        .tiers(StaticTiers::new(KEYS))
        .build()
        .expect("nothing is wrong with it");
    [(memory, clock), (redis, redis_clock)]
}
