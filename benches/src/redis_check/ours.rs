//! This workspace's own store.

use std::time::Duration;

use ratelimit::{Algorithm, Quota, RedisStore, Store};
use ratelimit_tests::{bucket, policy};

use super::{LIMIT, Made, PER, arena::Arena};

pub(super) fn store(arena: Arena<'_>, algorithm: Algorithm) -> Made<'_> {
    let policy = policy("bench", algorithm, Quota::new(LIMIT, PER));
    // Nobody else gives up on Redis; its checks have a timer around them all the same.
    let builder = RedisStore::builder(arena.server.url())
        .connections(1)
        .timeout(Duration::from_secs(1));
    arena.contestant(
        "RedisStore",
        async || builder.connect().await,
        move |store: &RedisStore, n| {
            let store = store.clone();
            async move {
                let decision = store.check(&bucket(policy, n), 1).await;
                decision.is_ok_and(|decision| decision.allowed)
            }
        },
    )
}
