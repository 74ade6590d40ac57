//! Stores with faults, and what a limiter does with the capabilities that a store states.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{HeaderName, Request};
use tokio::time::Instant;

use super::*;
use crate::{
    clock::ManualClock,
    limiter::{Caller, RateLimitStatus, RateLimiter},
    policy::{Algorithm, OnStoreError, Policy, Quota, Tier},
    store::{MemoryStore, SyncCheck, TierStore},
};

const TIMEOUT: Duration = Duration::from_millis(50);

static TIERS: [Tier; 2] = [
    Tier::new("default", Quota::per_hour(5)),
    Tier::new("pro", Quota::per_hour(50)),
];
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static POLICY: Policy =
    Policy::new("of a store", Algorithm::FixedWindow, &TIERS).with_tier_header(&API_KEY);
static OTHER: Policy = Policy::new("another of a store", Algorithm::FixedWindow, &TIERS);

/// What a store does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Hangs,
    Errs,
    Panics,
    /// Panics before it returns a future.
    PanicsAtOnce,
    TooFew,
    TooMany,
}

const FAULTS: [Fault; 6] = [
    Fault::Hangs,
    Fault::Errs,
    Fault::Panics,
    Fault::PanicsAtOnce,
    Fault::TooFew,
    Fault::TooMany,
];

/// A store in memory with faults and with whichever capabilities.
#[derive(Default)]
struct Faulty {
    memory: MemoryStore,
    fault: Arc<Mutex<Option<Fault>>>,
    calls: AtomicUsize,
    clock: Option<ManualClock>,
    rejection_ttl: Duration,
    is_in_process: bool,
    has_sync_check: bool,
    tiers: FaultyTiers,
}

/// Tiers that share the faults of their store.
#[derive(Clone, Default)]
struct FaultyTiers {
    fault: Arc<Mutex<Option<Fault>>>,
    tiers: Arc<Mutex<HashMap<Vec<u8>, String>>>,
    calls: Arc<AtomicUsize>,
}

async fn answer<T>(fault: Option<Fault>, answer: impl FnOnce() -> T) -> Result<T, StoreError> {
    match fault {
        None | Some(Fault::TooFew | Fault::TooMany) => Ok(answer()),
        Some(Fault::Hangs) => pending().await,
        Some(Fault::Errs) => Err(StoreError::new("a fault")),
        Some(Fault::Panics | Fault::PanicsAtOnce) => panic!("a bug"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is locked")
}

impl Faulty {
    fn new() -> Self {
        let store = Self::default();
        Self {
            tiers: FaultyTiers {
                fault: store.fault.clone(),
                ..FaultyTiers::default()
            },
            ..store
        }
    }

    fn set(&self, fault: Option<Fault>) {
        *lock(&self.fault) = fault;
    }

    fn fault(&self) -> Option<Fault> {
        *lock(&self.fault)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn answer<T>(&self, result: impl FnOnce() -> T) -> Result<T, StoreError> {
        answer(self.fault(), result).await
    }

    fn decide(&self, charges: &[Charge]) -> Vec<Decision> {
        let mut decisions = self.memory.decide(charges).into_vec();
        match self.fault() {
            Some(Fault::TooFew) => drop(decisions.pop()),
            Some(Fault::TooMany) => {
                // Of any request: a probe has none.
                let more = decisions.first().copied();
                decisions.push(more.unwrap_or(Decision {
                    allowed: true,
                    remaining: 1,
                    retry_after: None,
                    reset_after: Duration::ZERO,
                    at_micros: 0,
                }));
            }
            _ => {}
        }
        decisions
    }
}

impl Store for Faulty {
    // Not `async fn`, so that a panic comes before there is a future.
    fn check_all(
        &self,
        charges: &[Charge],
    ) -> impl Future<Output = Result<Vec<Decision>, StoreError>> + Send {
        self.calls.fetch_add(1, Ordering::Relaxed);
        assert_ne!(self.fault(), Some(Fault::PanicsAtOnce), "a bug");
        self.answer(|| self.decide(charges))
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.answer(|| self.memory.take(bucket, cost)).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.answer(|| self.memory.give_back(bucket, cost, taken))
            .await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.answer(|| self.memory.forget(bucket)).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        match self.fault() {
            Some(Fault::TooFew | Fault::TooMany) => Err(StoreError::new("a fault")),
            _ => self.answer(|| ()).await,
        }
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn is_in_process(&self) -> bool {
        self.is_in_process
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.clock.clone().map(|clock| Arc::new(clock) as _)
    }

    fn rejection_ttl(&self) -> Duration {
        self.rejection_ttl
    }

    fn sync_check(&self) -> Option<&impl SyncCheck> {
        self.has_sync_check.then_some(self)
    }

    fn tier_store(&self) -> Option<impl TierStore> {
        Some(self.tiers.clone())
    }
}

impl SyncCheck for Faulty {
    fn try_check_all(&self, charges: &[Charge]) -> Option<Vec<Decision>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fault() {
            Some(Fault::Hangs | Fault::Errs) => None,
            Some(Fault::Panics | Fault::PanicsAtOnce) => panic!("a bug"),
            _ => Some(self.decide(charges)),
        }
    }
}

impl TierResolver for FaultyTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = *lock(&self.fault);
        let tier = answer(fault, || lock(&self.tiers).get(key.as_bytes()).cloned()).await;
        Ok(tier.map_err(ResolveError::new)?.map(KnownKey::on_tier))
    }
}

impl TierStore for FaultyTiers {
    async fn set_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let fault = *lock(&self.fault);
        let key = api_key.as_bytes().to_vec();
        answer(fault, || {
            match tier {
                Some(tier) => lock(&self.tiers).insert(key, tier.to_owned()),
                None => lock(&self.tiers).remove(&key),
            };
        })
        .await
    }
}

fn limiter(store: &Arc<Faulty>) -> RateLimiter {
    let builder = RateLimiter::builder().store(store.clone());
    builder.build().expect("nothing is wrong with it")
}

/// One request of one client, with an API key of its own if there is one.
async fn check(limiter: &RateLimiter, policies: &[&'static Policy], key: &str) -> RateLimitStatus {
    let request = Request::builder().header("x-api-key", key).body(());
    let (parts, ()) = request.expect("a request").into_parts();
    let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
    limiter.check_all(policies, caller).await
}

/// The same under one policy, of a client without a key.
async fn check_one(limiter: &RateLimiter) -> RateLimitStatus {
    check(limiter, &[&POLICY], "").await
}

fn bucket() -> Bucket {
    let client = crate::client::ClientId::ip([127, 0, 0, 1].into());
    Bucket::new(&POLICY, &TIERS[0], client).expect("a limited tier")
}

fn is_up(limiter: &RateLimiter) -> bool {
    limiter.store_health().expect("a store that may fail").is_up
}

#[tokio::test(start_paused = true)]
async fn limits_hold_through_every_fault_and_the_store_is_asked_again_after_it() {
    for fault in FAULTS {
        for policies in [&[&POLICY][..], &[&POLICY, &OTHER]] {
            let store = Arc::new(Faulty::new());
            let limiter = limiter(&store);
            let status = check(&limiter, policies, "").await;
            assert!(status.is_allowed() && !status.is_degraded(), "{fault:?}");

            store.set(Some(fault));
            let mut allowed = 0;
            for n in 0..10 {
                let began = Instant::now();
                let status = check(&limiter, policies, "").await;
                let most = if fault == Fault::Hangs && n < 3 {
                    TIMEOUT
                } else {
                    Duration::ZERO
                };
                // The timer's granularity.
                assert!(
                    began.elapsed() <= most + Duration::from_millis(1),
                    "{fault:?}"
                );
                assert!(status.is_degraded(), "{fault:?}: {n}");
                allowed += u32::from(status.is_allowed());
            }
            assert_eq!(
                allowed, 4,
                "{fault:?}: what was left when it was last known"
            );
            assert!(!is_up(&limiter), "{fault:?}");
            let asked = store.calls();
            check(&limiter, policies, "").await;
            assert_eq!(
                store.calls(),
                asked,
                "{fault:?}: not asked during an outage"
            );

            // The probe meets the fault as well, and goes on.
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert!(!is_up(&limiter), "{fault:?}");
            store.set(None);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert!(is_up(&limiter), "{fault:?}");
            assert!(
                !check(&limiter, policies, "").await.is_degraded(),
                "{fault:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_check_is_an_error_in_every_fault() {
    for fault in [Fault::Hangs, Fault::Errs, Fault::Panics] {
        let store = Arc::new(Faulty::new());
        let limiter = limiter(&store);
        let status = check_one(&limiter).await;
        store.set(Some(fault));
        let began = Instant::now();
        status.refund().await;
        assert!(limiter.reset(&bucket()).await.is_err(), "{fault:?}");
        assert!(
            limiter.set_tier("k-alice", None).await.is_err(),
            "{fault:?}"
        );
        status.charge(2).await;
        assert!(began.elapsed() <= 5 * TIMEOUT, "{fault:?}");
        limiter.give_back_leases().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_in_this_process_that_fails_has_no_outage_and_each_request_is_decided() {
    // It has no timeout, so it may not hang.
    let faults = FAULTS.into_iter().filter(|fault| *fault != Fault::Hangs);
    for (fault, has_sync_check) in faults.flat_map(|fault| [(fault, false), (fault, true)]) {
        for policies in [&[&POLICY][..], &[&POLICY, &OTHER]] {
            let store = Arc::new(Faulty {
                is_in_process: true,
                has_sync_check,
                ..Faulty::new()
            });
            let builder = RateLimiter::builder().store(store.clone());
            let denying = builder.on_store_error(OnStoreError::Deny).build();
            let denying = denying.expect("nothing is wrong with it");
            let limiter = limiter(&store);
            assert!(!check(&limiter, policies, "").await.is_degraded());
            store.set(Some(fault));
            for _ in 0..5 {
                let status = check(&limiter, policies, "").await;
                assert!(status.is_allowed() && status.is_degraded(), "{fault:?}");
                let status = check(&denying, policies, "").await;
                assert!(!status.is_allowed(), "{fault:?}");
            }
            assert_eq!(limiter.store_health(), None);
            store.set(None);
            assert!(
                !check(&limiter, policies, "").await.is_degraded(),
                "at once"
            );
        }
    }
}

#[test]
fn a_store_in_this_process_needs_no_timer() {
    let store = Arc::new(Faulty {
        is_in_process: true,
        ..Faulty::new()
    });
    let limiter = limiter(&store);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(async {
        let status = check_one(&limiter).await;
        assert!(!status.is_degraded());
        status.charge(2).await;
        assert_eq!(status.remaining(), Some(2));
        status.refund().await;
        assert_eq!(status.remaining(), Some(3));
        limiter.reset(&bucket()).await.expect("a reset");
        assert_eq!(check_one(&limiter).await.remaining(), Some(4));
    });
}

#[tokio::test]
async fn a_rejection_is_cached_for_as_long_as_the_store_states() {
    let seconds = Duration::from_secs;
    let cases = [
        (Duration::ZERO, Duration::ZERO),
        (seconds(1), seconds(1)),
        (seconds(600), seconds(600)),
        // Never for longer than the rejection holds.
        (Duration::MAX, seconds(3_600)),
    ];
    for (rejection_ttl, expected) in cases {
        for is_in_process in [false, true] {
            let clock = ManualClock::new();
            let store = Arc::new(Faulty {
                memory: MemoryStore::new().with_clock(clock.clone()),
                clock: Some(clock.clone()),
                rejection_ttl,
                is_in_process,
                ..Faulty::new()
            });
            let limiter = limiter(&store);
            for n in 0..6 {
                assert_eq!(check_one(&limiter).await.is_allowed(), n < 5);
            }
            let is_asked = async || {
                let before = store.calls();
                check_one(&limiter).await;
                store.calls() > before
            };
            if !expected.is_zero() {
                assert!(!is_asked().await);
                clock.advance(expected.saturating_sub(Duration::from_micros(1)));
                assert!(!is_asked().await, "{rejection_ttl:?}");
                clock.advance(Duration::from_micros(1));
            }
            assert!(is_asked().await, "{rejection_ttl:?}");
            clock.advance(seconds(3_600));
            assert!(check_one(&limiter).await.is_allowed(), "{rejection_ttl:?}");
        }
    }
}

#[tokio::test]
async fn a_check_without_waiting_comes_first_and_may_decline() {
    let store = Arc::new(Faulty {
        has_sync_check: true,
        ..Faulty::new()
    });
    let limiter = limiter(&store);
    assert_eq!(check_one(&limiter).await.remaining(), Some(4));
    assert_eq!(store.calls(), 1);
    // It declines, and the store that is asked then does not answer.
    store.set(Some(Fault::Errs));
    assert!(check_one(&limiter).await.is_degraded());
    assert_eq!(store.calls(), 3);
    for _ in 0..3 {
        check_one(&limiter).await;
    }
    assert!(!is_up(&limiter));
    // During an outage what can be decided without waiting still is.
    store.set(None);
    assert!(!check_one(&limiter).await.is_degraded());
}

#[tokio::test(start_paused = true)]
async fn the_tiers_of_a_store_share_the_time_and_the_outages_of_its_checks() {
    for fault in [Fault::Hangs, Fault::Errs, Fault::Panics] {
        let store = Arc::new(Faulty::new());
        let limiter = limiter(&store);
        // No handler of this program declares a tier, so it is not set through the limiter.
        let pro = |key: &str| lock(&store.tiers.tiers).insert(key.into(), "pro".to_owned());
        for key in ["k-alice", "k-bob", "k-carol"] {
            pro(key);
        }
        let status = check(&limiter, &[&POLICY], "k-alice").await;
        assert_eq!(status.limit(), Some(50), "{fault:?}");

        store.set(Some(fault));
        let began = Instant::now();
        let status = check(&limiter, &[&POLICY], "k-bob").await;
        assert!(
            began.elapsed() <= TIMEOUT + Duration::from_millis(15),
            "{fault:?}"
        );
        assert_eq!(status.limit(), Some(5), "{fault:?}: anonymous");
        assert!(status.is_degraded(), "{fault:?}");
        let known = check(&limiter, &[&POLICY], "k-alice").await;
        assert_eq!(known.limit(), Some(50), "{fault:?}: as it was");
        for _ in 0..3 {
            check_one(&limiter).await;
        }
        assert!(!is_up(&limiter), "{fault:?}");
        let asked = store.tiers.calls.load(Ordering::Relaxed);
        let began = Instant::now();
        check(&limiter, &[&POLICY], "k-carol").await;
        assert_eq!(began.elapsed(), Duration::ZERO, "{fault:?}");
        assert_eq!(
            store.tiers.calls.load(Ordering::Relaxed),
            asked,
            "{fault:?}"
        );
    }
}
