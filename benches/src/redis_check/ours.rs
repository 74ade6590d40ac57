//! This workspace's own store.

use std::{sync::Arc, time::Duration};

use ratelimit::{Algorithm, Quota, RedisStore, RedisStoreBuilder, Store};
use ratelimit_tests::{bucket, policy};

use super::{Made, PER, arena::Arena};

pub(super) fn store(arena: Arena<'_>, algorithm: Algorithm) -> Made<'_> {
    contestant("RedisStore", arena, algorithm, builder(arena))
}

pub(super) fn leases(arena: Arena<'_>, algorithm: Algorithm) -> Made<'_> {
    let builder = builder(arena).leases();
    contestant("RedisStore, leases", arena, algorithm, builder)
}

/// Nobody else gives up on Redis; its checks have a timer around them all the same.
pub(super) fn builder(arena: Arena<'_>) -> RedisStoreBuilder {
    RedisStore::builder(arena.server.url())
        .connections(1)
        .timeout(Duration::from_secs(1))
}

fn contestant<'a>(
    name: &str,
    arena: Arena<'a>,
    algorithm: Algorithm,
    builder: RedisStoreBuilder,
) -> Made<'a> {
    let policy = policy("bench", algorithm, Quota::new(arena.limit, PER));
    arena.contestant(
        name,
        async || builder.connect().await.map(Arc::new),
        move |store: &Arc<RedisStore>, n| {
            let store = store.clone();
            async move {
                let decision = store.check(&bucket(policy, n), 1).await;
                decision.is_ok_and(|decision| decision.allowed)
            }
        },
    )
}
