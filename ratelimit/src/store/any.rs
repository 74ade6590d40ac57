//! The store of a limiter, whichever it is.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

#[cfg(feature = "redis")]
use super::redis::RedisStore;
use super::{Bucket, Charge, Decisions, MemoryStore, Store, StoreError, breaker::Breaker};
use crate::{algorithm::Decision, budget::Budget, clock::Clock};

/// The store of a limiter. The stores of this crate are known to the compiler, so that a check
/// with them allocates no future.
#[doc(hidden)]
pub enum AnyStore {
    Memory(MemoryStore),
    #[cfg(feature = "redis")]
    Redis(RedisStore),
    Custom(CustomStore),
}

/// A store of the application's own: asked for no longer than it says, and not during an outage.
pub struct CustomStore {
    store: Arc<dyn DynStore>,
    breaker: Breaker,
}

impl CustomStore {
    pub(super) fn new(store: impl Store) -> Self {
        let store: Arc<dyn DynStore> = Arc::new(store);
        let probed = store.clone();
        let breaker = Breaker::new(move || {
            let store = probed.clone();
            async move { in_time(Budget::start(store.timeout()), store.probe()).await }
        });
        Self { store, breaker }
    }

    async fn ask<T>(
        &self,
        deadline: Budget,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.breaker.ask(|| in_time(deadline, question)).await
    }
}

async fn in_time<T>(
    deadline: Budget,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    deadline
        .run(answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::new("no answer in time")))
}

impl AnyStore {
    /// The clock that it counts in, if it is not one of its own.
    pub(crate) fn clock(&self) -> Option<Arc<dyn Clock>> {
        match self {
            Self::Memory(store) => Some(store.clock()),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.clock(),
            Self::Custom(_) => None,
        }
    }

    /// What it is.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            #[cfg(feature = "redis")]
            Self::Redis(_) => "redis",
            Self::Custom(_) => "custom",
        }
    }

    /// How long it may be waited for.
    pub(crate) fn timeout(&self) -> Duration {
        match self {
            Self::Memory(store) => Store::timeout(store),
            #[cfg(feature = "redis")]
            Self::Redis(store) => Store::timeout(store),
            Self::Custom(custom) => custom.store.timeout(),
        }
    }

    /// What keeps an outage from costing anything, where there can be one.
    pub(crate) fn breaker(&self) -> Option<&Breaker> {
        match self {
            Self::Memory(_) => None,
            #[cfg(feature = "redis")]
            Self::Redis(store) => Some(store.breaker()),
            Self::Custom(custom) => Some(&custom.breaker),
        }
    }

    /// The store that processes tell each other of more than buckets through.
    #[cfg(feature = "redis")]
    pub(crate) fn shared(&self) -> Option<&RedisStore> {
        match self {
            Self::Redis(store) => Some(store),
            Self::Memory(_) | Self::Custom(_) => None,
        }
    }

    pub(crate) async fn check_all(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.decide(charges)),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.decide(charges, deadline).await,
            Self::Custom(custom) => {
                let decisions = custom
                    .ask(deadline, custom.store.check_all(charges))
                    .await?;
                let decisions = Decisions::from(decisions);
                if decisions.len() == charges.len() {
                    Ok(decisions)
                } else {
                    Err(StoreError::new("there is not one decision for each charge"))
                }
            }
        }
    }

    pub(crate) async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.take(bucket, cost)),
            #[cfg(feature = "redis")]
            Self::Redis(store) => Store::charge(store, bucket, cost).await,
            Self::Custom(custom) => {
                let deadline = Budget::start(custom.store.timeout());
                custom
                    .ask(deadline, custom.store.charge(bucket, cost))
                    .await
            }
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
            #[cfg(feature = "redis")]
            Self::Redis(store) => Store::refund(store, bucket, cost, taken).await,
            Self::Custom(custom) => {
                let deadline = Budget::start(custom.store.timeout());
                let given_back = custom.store.refund(bucket, cost, taken);
                custom.ask(deadline, given_back).await
            }
        }
    }

    pub(crate) async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        match self {
            Self::Memory(store) => {
                store.forget(bucket);
                Ok(())
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => Store::reset(store, bucket).await,
            Self::Custom(custom) => {
                let deadline = Budget::start(custom.store.timeout());
                custom.ask(deadline, custom.store.reset(bucket)).await
            }
        }
    }
}

/// The answer of a [`Store`] as an object.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`Store`] as an object.
trait DynStore: Send + Sync {
    fn check_all<'a>(&'a self, charges: &'a [Charge]) -> Answer<'a, Vec<Decision>>;

    fn charge<'a>(&'a self, bucket: &'a Bucket, cost: u32) -> Answer<'a, Decision>;

    fn refund<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
        taken: &'a Decision,
    ) -> Answer<'a, Decision>;

    fn reset<'a>(&'a self, bucket: &'a Bucket) -> Answer<'a, ()>;

    fn probe(&self) -> Answer<'_, ()>;

    fn timeout(&self) -> Duration;
}

impl<S: Store> DynStore for S {
    fn check_all<'a>(&'a self, charges: &'a [Charge]) -> Answer<'a, Vec<Decision>> {
        Box::pin(Store::check_all(self, charges))
    }

    fn charge<'a>(&'a self, bucket: &'a Bucket, cost: u32) -> Answer<'a, Decision> {
        Box::pin(Store::charge(self, bucket, cost))
    }

    fn refund<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
        taken: &'a Decision,
    ) -> Answer<'a, Decision> {
        Box::pin(Store::refund(self, bucket, cost, taken))
    }

    fn reset<'a>(&'a self, bucket: &'a Bucket) -> Answer<'a, ()> {
        Box::pin(Store::reset(self, bucket))
    }

    fn probe(&self) -> Answer<'_, ()> {
        Box::pin(Store::probe(self))
    }

    fn timeout(&self) -> Duration {
        Store::timeout(self)
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
        let store = Patient(MemoryStore::new()).erase();
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
