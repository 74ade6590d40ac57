//! An outage that several threads notice at once.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use axum::http::Request;
use futures_util::FutureExt;
use ratelimit::{
    Bucket, Caller, Charge, Decision, MemoryStore, Policy, Quota, RateLimiter, Store, StoreError,
};
use ratelimit_tests::{ALGORITHMS, policy};

/// A store that fails from some time on.
#[derive(Default)]
struct Breakable {
    buckets: MemoryStore,
    is_broken: Arc<AtomicBool>,
}

impl Store for Breakable {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(StoreError::new("the server is gone"));
        }
        self.buckets.check_all(charges).await
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.buckets.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.buckets.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.buckets.reset(bucket).await
    }
}

const CLIENTS: u32 = 5_000;
const THREADS: u32 = 2;

/// A check that nothing has to be waited for in.
fn is_allowed(limiter: &RateLimiter, policy: &'static Policy, client: u32) -> bool {
    let (parts, ()) = Request::new(()).into_parts();
    let caller = Caller::new(&parts).with_peer(Some(Ipv4Addr::from(client).into()));
    let status = limiter.check(policy, caller).now_or_never();
    status.expect("no waiting").is_allowed()
}

#[test]
fn a_client_gets_no_more_if_threads_notice_an_outage_at_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _guard = runtime.enter();
    for algorithm in ALGORITHMS {
        let one = policy("one an hour", algorithm, Quota::per_hour(1));
        let store = Breakable::default();
        let is_broken = Arc::clone(&store.is_broken);
        let limiter = RateLimiter::builder().store(store).build();
        let limiter = limiter.expect("nothing is wrong with it");
        for client in 0..CLIENTS {
            assert!(is_allowed(&limiter, one, client));
        }
        is_broken.store(true, Ordering::SeqCst);
        // The circuit breaker opens, so that no thread waits for the store.
        for _ in 0..10 {
            assert!(!is_allowed(&limiter, one, 0));
        }

        let arrived = AtomicU32::new(0);
        let admitted = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for client in 1..CLIENTS {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        while arrived.load(Ordering::SeqCst) < client * THREADS {
                            std::hint::spin_loop();
                        }
                        let more = u32::from(is_allowed(&limiter, one, client));
                        admitted.fetch_add(more, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 0, "{algorithm:?}");
    }
}
