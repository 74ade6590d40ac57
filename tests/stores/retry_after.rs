//! `retry_after` is honest in every store: a microsecond before it the request is still denied, and
//! at it, it is admitted.

use std::time::Duration;

use ratelimit::{ManualClock, MemoryStore, Quota, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, policy};

#[tokio::test]
async fn memory_is_honest() {
    let clock = ManualClock::new();
    honest(MemoryStore::new().with_clock(clock.clone()), &clock).await;
}

#[tokio::test]
async fn redis_is_honest() {
    let clock = ManualClock::new();
    let store = RedisServer::shared()
        .builder()
        .prefix("retry_after:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    honest(store, &clock).await;
}

async fn honest(store: impl Store, clock: &ManualClock) {
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(7);
        let bucket = bucket(policy("honest", algorithm, quota), 1);
        for cost in [1, 3, 7, 2] {
            let wait = loop {
                let decision = store.check(&bucket, cost).await.expect("a decision");
                match decision.retry_after {
                    Some(wait) => break wait,
                    None => clock.advance(Duration::from_micros(1_234_567)),
                }
            };
            clock.advance(wait.saturating_sub(Duration::from_micros(1)));
            let early = store.check(&bucket, cost).await.expect("a decision");
            assert!(!early.allowed, "{algorithm:?}: a microsecond early");
            assert_eq!(early.retry_after, Some(Duration::from_micros(1)));
            clock.advance(Duration::from_micros(1));
            let on_time = store.check(&bucket, cost).await.expect("a decision");
            assert!(on_time.allowed, "{algorithm:?}: on time");
        }
    }
}
