//! A store behaves the same by itself, behind a pointer and within a store that delegates to it; and
//! a store of an application's own can do what those of the library do.

mod behaviors;
mod custom;
mod delegate;
mod outage;

use std::sync::Arc;

use http::Request;
use ratelimit::{
    Builder, Caller, ManualClock, MemoryStore, Policy, RateLimitStatus, RateLimiter, RedisStore,
};
use ratelimit_tests::RedisServer;

use self::delegate::Delegate;

/// A store in a wrapping, with a clock that stands still.
struct Subject {
    clock: ManualClock,
    store: Wrapped,
}

enum Wrapped {
    Memory(fn(MemoryStore) -> Builder),
    Redis(Option<RedisServer>, fn(RedisStore) -> Builder),
}

impl Subject {
    fn memory(wrap: fn(MemoryStore) -> Builder) -> Self {
        Self {
            clock: ManualClock::new(),
            store: Wrapped::Memory(wrap),
        }
    }

    fn redis(wrap: fn(RedisStore) -> Builder) -> Self {
        Self {
            clock: ManualClock::new(),
            store: Wrapped::Redis(Some(RedisServer::start()), wrap),
        }
    }

    /// A limiter as one process has it: on Redis it shares its state with the others.
    async fn limiter(&self) -> RateLimiter {
        let clock = self.clock.clone();
        let builder = match &self.store {
            Wrapped::Memory(wrap) => wrap(MemoryStore::new().with_clock(clock)),
            Wrapped::Redis(server, wrap) => {
                let server = server.as_ref().expect("a server that has not ended");
                let store = server.builder().clock(clock).connect().await;
                wrap(store.expect("a redis-server"))
            }
        };
        builder.build().expect("nothing is wrong with it")
    }

    /// Ends the server, if it is Redis.
    fn end_server(&mut self) {
        if let Wrapped::Redis(server, _) = &mut self.store {
            *server = None;
        }
    }

    /// The server, if it is Redis.
    fn server(&self) -> Option<&RedisServer> {
        match &self.store {
            Wrapped::Memory(_) => None,
            Wrapped::Redis(server, _) => server.as_ref(),
        }
    }
}

/// A request of 127.0.0.1 with an API key.
async fn check(
    limiter: &RateLimiter,
    policies: &[&'static Policy],
    api_key: &str,
) -> RateLimitStatus {
    let request = Request::builder().header("x-api-key", api_key).body(());
    let (parts, ()) = request.expect("a request").into_parts();
    let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
    limiter.check_all(policies, caller).await
}

/// How many of so many requests are allowed.
async fn allowed(limiter: &RateLimiter, policy: &'static Policy, requests: u32) -> u32 {
    let mut allowed = 0;
    for _ in 0..requests {
        allowed += u32::from(check(limiter, &[policy], "").await.is_allowed());
    }
    allowed
}

/// A test of each behavior on each store.
macro_rules! on_every_store {
    ($($store:ident: $subject:expr;)*) => {$(
        mod $store {
            use super::*;

            on_a_store! {
                $subject =>
                a_rejection_ends_with_the_store_s_time,
                a_refund_and_a_reset_count_at_once,
                several_policies_take_all_or_nothing,
                a_rejection_is_cached_if_the_store_is_elsewhere,
                tiers_come_from_the_store_if_it_has_any,
                leases_are_spent_here_and_given_back,
                stats_and_the_bypass_are_shared_by_those_who_share_the_store,
                what_operators_see_of_it,
                an_outage_is_the_store_s,
            }
        }
    )*};
}

macro_rules! on_a_store {
    ($subject:expr => $($behavior:ident,)*) => {$(
        #[tokio::test]
        async fn $behavior() {
            behaviors::$behavior($subject).await;
        }
    )*};
}

on_every_store! {
    memory: Subject::memory(|store| RateLimiter::builder().store(store));
    memory_in_an_arc: Subject::memory(|store| RateLimiter::builder().store(Arc::new(store)));
    memory_in_a_box: Subject::memory(|store| RateLimiter::builder().store(Box::new(store)));
    memory_in_a_delegate: Subject::memory(|store| RateLimiter::builder().store(Delegate(store)));
    redis: Subject::redis(|store| RateLimiter::builder().store(store));
    redis_in_an_arc: Subject::redis(|store| RateLimiter::builder().store(Arc::new(store)));
    redis_in_a_box: Subject::redis(|store| RateLimiter::builder().store(Box::new(store)));
    redis_in_a_delegate: Subject::redis(|store| {
        RateLimiter::builder().store(Arc::new(Delegate(Arc::new(store))))
    });
}
