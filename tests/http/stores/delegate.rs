//! A store around another, as an application writes it: it forwards every method.

use std::{sync::Arc, time::Duration};

use ratelimit::{
    Bucket, Budget, Charge, Clock, Decision, FleetStore, Store, StoreError, StoreHealth, SyncCheck,
    TierStore,
};

pub(super) struct Delegate<S>(pub(super) S);

impl<S: Store> Store for Delegate<S> {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        self.0.check_all(charges).await
    }

    async fn check_all_within(
        &self,
        charges: &[Charge],
        budget: Budget,
    ) -> Result<Vec<Decision>, StoreError> {
        self.0.check_all_within(charges, budget).await
    }

    async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.0.check(bucket, cost).await
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

    async fn probe(&self) -> Result<(), StoreError> {
        self.0.probe().await
    }

    fn timeout(&self) -> Duration {
        self.0.timeout()
    }

    fn is_in_process(&self) -> bool {
        self.0.is_in_process()
    }

    fn health(&self) -> Option<StoreHealth> {
        self.0.health()
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.0.clock()
    }

    fn rejection_ttl(&self) -> Duration {
        self.0.rejection_ttl()
    }

    fn sync_check(&self) -> Option<&impl SyncCheck> {
        self.0.sync_check()
    }

    async fn give_back_leases(&self) {
        self.0.give_back_leases().await;
    }

    fn tier_store(&self) -> Option<impl TierStore> {
        self.0.tier_store()
    }

    fn fleet_store(&self) -> Option<impl FleetStore> {
        self.0.fleet_store()
    }

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn server(&self) -> Option<&str> {
        self.0.server()
    }
}
