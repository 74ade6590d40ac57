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

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        time::SystemTime,
    };

    use super::*;
    use crate::{
        client::{ApiKey, ClientId, KnownKey, ResolveError, TierResolver},
        clock::ManualClock,
        observe::Figures,
        policy::{Algorithm, Policy, Quota, Tier},
        store::{FleetBypass, FleetReport},
    };

    /// A store that has no method of which the default would do, and counts the calls of those that
    /// return nothing of their own.
    #[derive(Clone, Default)]
    struct Unusual(Arc<AtomicU32>);

    impl Unusual {
        /// An answer that tells this method from the others.
        fn answer(method: u32) -> Decision {
            Decision {
                allowed: true,
                remaining: method,
                retry_after: None,
                reset_after: Duration::ZERO,
                at_micros: 0,
            }
        }

        fn note(&self, method: u32) {
            self.0.store(method, Ordering::Relaxed);
        }
    }

    impl Store for Unusual {
        async fn check_all(&self, _: &[Charge]) -> Result<Vec<Decision>, StoreError> {
            Ok(vec![Self::answer(1)])
        }

        async fn check_all_within(
            &self,
            _: &[Charge],
            _: Budget,
        ) -> Result<Vec<Decision>, StoreError> {
            Ok(vec![Self::answer(2)])
        }

        async fn check(&self, _: &Bucket, _: u32) -> Result<Decision, StoreError> {
            Ok(Self::answer(3))
        }

        async fn charge(&self, _: &Bucket, _: u32) -> Result<Decision, StoreError> {
            Ok(Self::answer(4))
        }

        async fn refund(&self, _: &Bucket, _: u32, _: &Decision) -> Result<Decision, StoreError> {
            Ok(Self::answer(5))
        }

        async fn reset(&self, _: &Bucket) -> Result<(), StoreError> {
            self.note(6);
            Ok(())
        }

        async fn probe(&self) -> Result<(), StoreError> {
            self.note(7);
            Ok(())
        }

        async fn give_back_leases(&self) {
            self.note(8);
        }

        fn timeout(&self) -> Duration {
            Duration::from_secs(9)
        }

        fn is_in_process(&self) -> bool {
            true
        }

        fn health(&self) -> Option<StoreHealth> {
            Some(StoreHealth::new(false, SystemTime::UNIX_EPOCH))
        }

        fn clock(&self) -> Option<Arc<dyn Clock>> {
            Some(Arc::new(ManualClock::at(Duration::from_micros(10))))
        }

        fn rejection_ttl(&self) -> Duration {
            Duration::from_secs(11)
        }

        fn sync_check(&self) -> Option<&impl SyncCheck> {
            Some(self)
        }

        fn tier_store(&self) -> Option<impl TierStore> {
            Some(self.clone())
        }

        fn fleet_store(&self) -> Option<impl FleetStore> {
            Some(self.clone())
        }

        fn name(&self) -> &'static str {
            "unusual"
        }

        fn server(&self) -> Option<&str> {
            Some("elsewhere")
        }
    }

    impl SyncCheck for Unusual {
        fn try_check_all(&self, _: &[Charge]) -> Option<Vec<Decision>> {
            None
        }

        fn try_check(&self, _: &Bucket, _: u32) -> Option<Decision> {
            Some(Self::answer(12))
        }
    }

    impl TierResolver for Unusual {
        async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
            Ok(None)
        }
    }

    impl TierStore for Unusual {
        async fn set_tier(&self, _: &str, _: Option<&str>) -> Result<(), StoreError> {
            self.note(13);
            Ok(())
        }
    }

    impl FleetStore for Unusual {
        async fn publish(&self, _: &FleetReport) -> Result<(), StoreError> {
            self.note(14);
            Ok(())
        }

        async fn figures(&self) -> Result<Figures, StoreError> {
            Ok(FleetReport::sum([]))
        }

        async fn bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
            Ok(None)
        }

        async fn set_bypass(&self, _: Option<&FleetBypass>) -> Result<(), StoreError> {
            Ok(())
        }
    }

    /// Everything that a store returns, and the last method that returned nothing.
    async fn everything(store: impl Store, called: &AtomicU32) -> Vec<String> {
        static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(5))];
        static POLICY: Policy = Policy::new("forwarded", Algorithm::TokenBucket, &TIERS);
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        let budget = Budget::start(Duration::from_secs(1));
        let mut all = vec![
            format!("{:?}", store.check_all(&[]).await),
            format!("{:?}", store.check_all_within(&[], budget).await),
            format!("{:?}", store.check(&bucket, 1).await),
            format!("{:?}", store.charge(&bucket, 1).await),
            format!("{:?}", store.refund(&bucket, 1, &Unusual::answer(0)).await),
            format!("{:?}", store.timeout()),
            format!("{:?}", store.is_in_process()),
            format!("{:?}", store.health()),
            format!("{:?}", store.clock().map(|clock| clock.now_micros())),
            format!("{:?}", store.rejection_ttl()),
            format!("{:?}", store.name()),
            format!("{:?}", store.server()),
        ];
        let sync = store.sync_check();
        all.push(format!(
            "{:?}",
            sync.and_then(|sync| sync.try_check(&bucket, 1))
        ));
        let mut note = |done: Result<(), StoreError>| {
            all.push(format!("{done:?} {}", called.load(Ordering::Relaxed)));
        };
        note(store.reset(&bucket).await);
        note(store.probe().await);
        store.give_back_leases().await;
        note(Ok(()));
        if let Some(tiers) = store.tier_store() {
            note(tiers.set_tier("k-alice", None).await);
        }
        if let Some(fleet) = store.fleet_store() {
            note(fleet.publish(&FleetReport::default()).await);
        }
        all
    }

    #[tokio::test]
    async fn every_method_is_forwarded() {
        let store = Unusual::default();
        let called = store.0.clone();
        let itself = everything(store.clone(), &called).await;
        assert_eq!(itself.len(), 18);
        assert_eq!(everything(Arc::new(store.clone()), &called).await, itself);
        assert_eq!(everything(Box::new(store), &called).await, itself);
    }
}
