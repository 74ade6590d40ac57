//! A store behind a pointer is that store: every method is forwarded.

use std::{sync::Arc, time::Duration};

use super::{Bucket, Charge, FleetStore, Store, StoreError, StoreHealth, SyncCheck, TierStore};
use crate::{algorithm::Decision, budget::Budget, clock::Clock};

macro_rules! forward {
    ($($(#[$doc:meta])* $pointer:ident;)*) => {$(
        $(#[$doc])*
        impl<S: Store> Store for $pointer<S> {
            async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
                (**self).check_all(charges).await
            }

            async fn check_all_within(
                &self,
                charges: &[Charge],
                budget: Budget,
            ) -> Result<Vec<Decision>, StoreError> {
                (**self).check_all_within(charges, budget).await
            }

            async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
                (**self).check(bucket, cost).await
            }

            async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
                (**self).charge(bucket, cost).await
            }

            async fn refund(
                &self,
                bucket: &Bucket,
                cost: u32,
                taken: &Decision,
            ) -> Result<Decision, StoreError> {
                (**self).refund(bucket, cost, taken).await
            }

            async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
                (**self).reset(bucket).await
            }

            async fn probe(&self) -> Result<(), StoreError> {
                (**self).probe().await
            }

            fn timeout(&self) -> Duration {
                (**self).timeout()
            }

            fn is_in_process(&self) -> bool {
                (**self).is_in_process()
            }

            fn health(&self) -> Option<StoreHealth> {
                (**self).health()
            }

            fn clock(&self) -> Option<Arc<dyn Clock>> {
                (**self).clock()
            }

            fn rejection_ttl(&self) -> Duration {
                (**self).rejection_ttl()
            }

            fn sync_check(&self) -> Option<&impl SyncCheck> {
                (**self).sync_check()
            }

            async fn give_back_leases(&self) {
                (**self).give_back_leases().await;
            }

            fn tier_store(&self) -> Option<impl TierStore> {
                (**self).tier_store()
            }

            fn fleet_store(&self) -> Option<impl FleetStore> {
                (**self).fleet_store()
            }

            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn server(&self) -> Option<&str> {
                (**self).server()
            }
        }
    )*};
}

forward! {
    /// A store that the application keeps a handle to as well. It behaves exactly as `S` does.
    Arc;
    /// A store on the heap. It behaves exactly as `S` does.
    Box;
}
