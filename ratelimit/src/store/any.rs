//! The store of a limiter, whichever it is.

use std::{any::Any, sync::Arc, time::Duration};

use super::{
    Bucket, Charge, Decisions, MemoryStore, Store, StoreError, StoreHealth,
    erased::{ErasedStore, Fleet, StoreTiers},
};
use crate::{algorithm::Decision, budget::Budget, clock::Clock};

/// The store of a limiter.
///
/// A [`MemoryStore`] has a variant of its own for speed: a check is inlined and returns no `Result`.
/// Its behavior is that of an [`ErasedStore`] with a `MemoryStore` in it.
#[derive(Clone)]
pub(crate) enum AnyStore {
    Memory(Arc<MemoryStore>),
    Erased(Arc<ErasedStore>),
}

impl AnyStore {
    pub(crate) fn new<S: Store>(store: S) -> Self {
        let store = Arc::new(store);
        let any: Arc<dyn Any + Send + Sync> = store.clone();
        match any.downcast::<MemoryStore>() {
            Ok(memory) => Self::Memory(memory),
            Err(any) => match any.downcast_ref::<Arc<MemoryStore>>() {
                Some(memory) => Self::Memory(memory.clone()),
                None => Self::Erased(Arc::new(ErasedStore::new(store))),
            },
        }
    }

    pub(crate) fn clock(&self) -> Option<Arc<dyn Clock>> {
        match self {
            Self::Memory(store) => Store::clock(store),
            Self::Erased(store) => store.clock(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Memory(store) => Store::name(store),
            Self::Erased(store) => store.name(),
        }
    }

    #[cfg(feature = "dashboard")]
    pub(crate) fn server(&self) -> Option<&str> {
        match self {
            Self::Memory(_) => None,
            Self::Erased(store) => store.server(),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        match self {
            Self::Memory(store) => Store::timeout(store),
            Self::Erased(store) => store.timeout(),
        }
    }

    pub(crate) fn is_in_process(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Erased(store) => store.is_in_process(),
        }
    }

    pub(crate) fn rejection_ttl(&self) -> Duration {
        match self {
            Self::Memory(_) => Duration::ZERO,
            Self::Erased(store) => store.rejection_ttl(),
        }
    }

    /// Returns the health of a store that may be unavailable.
    pub(crate) fn health(&self) -> Option<StoreHealth> {
        match self {
            Self::Memory(_) => None,
            Self::Erased(store) => store.health(),
        }
    }

    pub(crate) fn tiers(&self) -> Option<StoreTiers> {
        match self {
            Self::Memory(_) => None,
            Self::Erased(store) => StoreTiers::of(store),
        }
    }

    pub(crate) fn fleet(&self) -> Option<Fleet<'_>> {
        match self {
            Self::Memory(_) => None,
            Self::Erased(store) => Fleet::of(store),
        }
    }

    pub(crate) async fn check_all(
        &self,
        charges: &[Charge],
        budget: Budget,
    ) -> Result<Decisions, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.decide(charges)),
            Self::Erased(store) => store.check_all(charges, budget).await,
        }
    }

    pub(crate) async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.take(bucket, cost)),
            Self::Erased(store) => store.charge(bucket, cost).await,
        }
    }

    pub(crate) async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.give_back(bucket, cost, taken)),
            Self::Erased(store) => store.refund(bucket, cost, taken).await,
        }
    }

    pub(crate) async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.forget(bucket);
                Ok(())
            }
            Self::Erased(store) => store.reset(bucket).await,
        }
    }

    pub(crate) async fn give_back_leases(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Erased(store) => store.give_back_leases().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    /// A store that a check may wait for as long as it takes.
    struct Patient(MemoryStore);

    impl Store for Patient {
        async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
            Store::check_all(&self.0, charges).await
        }

        async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
            Store::charge(&self.0, bucket, cost).await
        }

        async fn refund(
            &self,
            bucket: &Bucket,
            cost: u32,
            taken: &Decision,
        ) -> Result<Decision, StoreError> {
            Store::refund(&self.0, bucket, cost, taken).await
        }

        async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
            Store::reset(&self.0, bucket).await
        }

        fn timeout(&self) -> Duration {
            Duration::MAX
        }
    }

    #[tokio::test]
    async fn the_longest_timeout_does_not_overflow() {
        static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(5))];
        static POLICY: Policy = Policy::new("patient", Algorithm::TokenBucket, &TIERS);
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        let store = AnyStore::new(Patient(MemoryStore::new()));
        let charge = Charge {
            bucket,
            cost: 2,
            enforced: true,
        };
        let decisions = store
            .check_all(&[charge], Budget::start(store.timeout()))
            .await;
        let taken = decisions.expect("a decision")[0];
        assert_eq!(taken.remaining, 3);
        let charged = store.charge(&bucket, 1).await.expect("a charge");
        assert_eq!(charged.remaining, 2);
        let refunded = store.refund(&bucket, 2, &taken).await.expect("a refund");
        assert_eq!(refunded.remaining, 4);
        store.reset(&bucket).await.expect("a reset");
    }
}
