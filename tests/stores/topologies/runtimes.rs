//! A store that is used from several runtimes, one after the other.

use axum::http::Request;
use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter, Tier};
use ratelimit_tests::RedisServer;
use tokio::runtime::{Builder, Runtime};

static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(1_000))];
static POLICY: Policy = Policy::new("runtimes", Algorithm::TokenBucket, &TIERS);

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn is_degraded(limiter: &RateLimiter) -> bool {
    let (parts, ()) = Request::new(()).into_parts();
    let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
    limiter.check(&POLICY, caller).await.is_degraded()
}

/// As in a crate whose tests have a runtime each and share the limiter that is installed.
#[test]
fn a_new_runtime_begins_with_connections_of_its_own() {
    let server = RedisServer::start();
    let limiter = runtime().block_on(async {
        let store = server.store().await;
        RateLimiter::builder().store(store).build().expect("built")
    });
    for _ in 0..5 {
        runtime().block_on(async {
            for n in 0..12 {
                assert!(!is_degraded(&limiter).await, "the check {n}");
            }
        });
    }
    let health = limiter.store_health().expect("a store that can be out");
    assert_eq!(health.outages, 0);
}

#[test]
fn a_runtime_that_ends_takes_nothing_from_the_others() {
    let server = RedisServer::start();
    // It drives its connections by itself.
    let first = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let limiter = first.block_on(async {
        let store = server.store().await;
        RateLimiter::builder().store(store).build().expect("built")
    });
    let second = runtime();
    second.block_on(async { assert!(!is_degraded(&limiter).await) });
    drop(first);
    second.block_on(async {
        for n in 0..12 {
            assert!(!is_degraded(&limiter).await, "the check {n}");
        }
    });
}
