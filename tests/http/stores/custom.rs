//! A store of an application's own with every capability, which several limiters share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ratelimit::{
    Algorithm, ApiKey, Bucket, Charge, Clock, Decision, Figures, FleetBypass, FleetReport,
    FleetStore, KnownKey, ManualClock, MemoryStore, Quota, RateLimiter, ResolveError, Store,
    StoreError, StoreHealth, TierResolver, TierStore,
};
use ratelimit_tests::{bucket, eventually, policy};

use super::{allowed, behaviors::tiered, check};

/// What a server would keep.
#[derive(Default)]
struct Server {
    buckets: MemoryStore,
    tiers: Mutex<HashMap<Vec<u8>, String>>,
    reports: Mutex<Vec<FleetReport>>,
    bypass: Mutex<Option<FleetBypass>>,
}

/// A client of it.
#[derive(Clone)]
struct Client(Arc<Server>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while it is locked")
}

impl Store for Client {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        self.0.buckets.check_all(charges).await
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.0.buckets.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.0.buckets.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.0.buckets.reset(bucket).await
    }

    fn tier_store(&self) -> Option<impl TierStore> {
        Some(self.clone())
    }

    fn fleet_store(&self) -> Option<impl FleetStore> {
        Some(self.clone())
    }

    fn name(&self) -> &'static str {
        "ours"
    }
}

impl TierResolver for Client {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let tier = lock(&self.0.tiers).get(key.as_bytes()).cloned();
        Ok(tier.map(KnownKey::on_tier))
    }
}

impl TierStore for Client {
    async fn set_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let key = api_key.as_bytes().to_vec();
        match tier {
            Some(tier) => lock(&self.0.tiers).insert(key, tier.to_owned()),
            None => lock(&self.0.tiers).remove(&key),
        };
        Ok(())
    }
}

impl FleetStore for Client {
    async fn publish(&self, report: &FleetReport) -> Result<(), StoreError> {
        lock(&self.0.reports).push(report.clone());
        Ok(())
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        Ok(FleetReport::sum(&*lock(&self.0.reports)))
    }

    async fn bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        Ok(lock(&self.0.bypass).clone())
    }

    async fn set_bypass(&self, bypass: Option<&FleetBypass>) -> Result<(), StoreError> {
        *lock(&self.0.bypass) = bypass.cloned();
        Ok(())
    }
}

fn limiter(store: impl Store) -> RateLimiter {
    let limiter = RateLimiter::builder().store(store).build();
    limiter.expect("nothing is wrong with it")
}

#[tokio::test]
async fn its_tiers_stats_and_bypass_are_those_of_all_its_limiters() {
    let server = Arc::new(Server::default());
    let limiters = [0, 1].map(|_| limiter(Client(server.clone())));
    assert!(format!("{:?}", limiters[0]).contains("ours"));
    let set = limiters[0].set_tier("k-alice", Some("pro")).await;
    set.expect("the store keeps tiers");
    for limiter in &limiters {
        let status = check(limiter, &[tiered()], "k-alice").await;
        assert_eq!(status.limit(), Some(10));
    }

    let one = policy("one", Algorithm::FixedWindow, Quota::per_hour(1));
    assert_eq!(allowed(&limiters[0], one, 2).await, 1);
    assert_eq!(allowed(&limiters[1], one, 2).await, 0, "of one bucket");
    eventually("the stats of both", async || {
        let figures = limiters[1].fleet_figures().await.expect("stats");
        let figures = figures.expect("of a store that shares them");
        (figures.requests_per_minute, figures.limited_per_minute) == (6, 3)
            && figures.limited_clients == 1
            && figures.check.is_some()
    })
    .await;

    let time = Duration::from_secs(60);
    let started = limiters[0].start_bypass("an incident", time).await;
    let started = started.expect("a store");
    eventually("the bypass of both", async || {
        limiters[1]
            .bypass()
            .is_some_and(|bypass| bypass.since == started.since)
    })
    .await;
    assert_eq!(allowed(&limiters[1], one, 3).await, 3);
    limiters[1].end_bypass().await.expect("a store");
    eventually("its end", async || limiters[0].bypass().is_none()).await;
}

#[tokio::test]
async fn what_the_application_does_to_its_own_store_counts_at_once() {
    let one = policy("one", Algorithm::FixedWindow, Quota::per_hour(1));
    let bucket = bucket(one, 0x7f00_0001);
    let store = Arc::new(MemoryStore::new());
    let server = Arc::new(Server::default());
    let limiters = [limiter(store.clone()), limiter(Client(server.clone()))];
    for limiter in &limiters {
        assert_eq!(allowed(limiter, one, 2).await, 1);
    }
    store.reset(&bucket).await.expect("a reset");
    server.buckets.reset(&bucket).await.expect("a reset");
    for limiter in &limiters {
        assert_eq!(allowed(limiter, one, 2).await, 1);
    }
}

/// A store that says that it has an outage.
struct Guarded(Client, ManualClock);

impl Store for Guarded {
    async fn check_all(&self, _: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        Err(StoreError::new("none of its servers answers"))
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.0.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.0.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.0.reset(bucket).await
    }

    fn health(&self) -> Option<StoreHealth> {
        let mut health = StoreHealth::new(false, std::time::SystemTime::now());
        health.outages = 7;
        Some(health)
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::new(self.1.clone()))
    }
}

#[tokio::test]
async fn a_circuit_breaker_of_its_own_replaces_the_limiter_s() {
    let one = policy("one", Algorithm::FixedWindow, Quota::per_hour(1));
    let clock = ManualClock::new();
    let client = Client(Arc::new(Server::default()));
    let limiter = limiter(Guarded(client, clock.clone()));
    assert_eq!(allowed(&limiter, one, 9).await, 1, "kept in this process");
    let health = limiter.store_health().expect("its own");
    assert!(!health.is_up && health.outages == 7, "{health:?}");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(allowed(&limiter, one, 9).await, 1, "in the store's time");
}
