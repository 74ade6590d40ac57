//! The traits of a store as objects. A panic in a store is an error of that store.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
};

use super::{
    Bucket, Charge, FleetBypass, FleetReport, FleetStore, Store, StoreError, StoreHealth,
    SyncCheck, TierStore,
};
use crate::{
    algorithm::Decision,
    budget::Budget,
    client::{ApiKey, KnownKey, ResolveError, TierResolver},
    foreign_text::Explanation,
    observe::Figures,
};

/// The answer of a [`Store`] as an object.
pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Boxes the answer of a store, which may panic. It is not even begun before it is awaited.
fn boxed<'a, T: 'a, F>(answer: impl FnOnce() -> F + Send + 'a) -> Answer<'a, T>
where
    F: Future<Output = Result<T, StoreError>> + Send + 'a,
{
    Box::pin(catch_panic(async move { answer().await }, || {
        Err(panicked())
    }))
}

/// [`Store`] as an object.
pub(super) trait DynStore: Send + Sync {
    fn check_all<'a>(
        &'a self,
        charges: &'a [Charge],
        budget: Option<Budget>,
    ) -> Answer<'a, Vec<Decision>>;

    fn charge<'a>(&'a self, bucket: &'a Bucket, cost: u32) -> Answer<'a, Decision>;

    fn refund<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
        taken: &'a Decision,
    ) -> Answer<'a, Decision>;

    fn reset<'a>(&'a self, bucket: &'a Bucket) -> Answer<'a, ()>;

    fn probe(&self) -> Answer<'_, ()>;

    fn health(&self) -> Option<StoreHealth>;

    fn sync_check(&self) -> Option<&dyn SyncCheck>;

    fn give_back_leases(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    fn name(&self) -> &'static str;

    #[cfg(feature = "dashboard")]
    fn server(&self) -> Option<&str>;
}

impl<S: Store> DynStore for S {
    fn check_all<'a>(
        &'a self,
        charges: &'a [Charge],
        budget: Option<Budget>,
    ) -> Answer<'a, Vec<Decision>> {
        match budget {
            Some(budget) => boxed(move || Store::check_all_within(self, charges, budget)),
            None => boxed(|| Store::check_all(self, charges)),
        }
    }

    fn charge<'a>(&'a self, bucket: &'a Bucket, cost: u32) -> Answer<'a, Decision> {
        boxed(move || Store::charge(self, bucket, cost))
    }

    fn refund<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
        taken: &'a Decision,
    ) -> Answer<'a, Decision> {
        boxed(move || Store::refund(self, bucket, cost, taken))
    }

    fn reset<'a>(&'a self, bucket: &'a Bucket) -> Answer<'a, ()> {
        boxed(|| Store::reset(self, bucket))
    }

    fn probe(&self) -> Answer<'_, ()> {
        boxed(|| Store::probe(self))
    }

    fn health(&self) -> Option<StoreHealth> {
        Store::health(self)
    }

    fn sync_check(&self) -> Option<&dyn SyncCheck> {
        match Store::sync_check(self) {
            Some(check) => Some(check),
            None => None,
        }
    }

    fn give_back_leases(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let give_back = async { Store::give_back_leases(self).await };
        Box::pin(catch_panic(give_back, || {
            tracing::error!(
                error = panicked().to_string(),
                "leases were not given back: what they hold counts as used until their windows end"
            );
        }))
    }

    fn name(&self) -> &'static str {
        Store::name(self)
    }

    #[cfg(feature = "dashboard")]
    fn server(&self) -> Option<&str> {
        Store::server(self)
    }
}

/// [`TierStore`] as an object.
pub(super) trait DynTierStore: Send + Sync {
    fn resolve<'a>(&'a self, key: ApiKey<'a>) -> Resolved<'a>;

    fn set_tier<'a>(&'a self, api_key: &'a str, tier: Option<&'a str>) -> Answer<'a, ()>;
}

pub(super) type Resolved<'a> =
    Pin<Box<dyn Future<Output = Result<Option<KnownKey>, ResolveError>> + Send + 'a>>;

impl<T: TierStore> DynTierStore for T {
    fn resolve<'a>(&'a self, key: ApiKey<'a>) -> Resolved<'a> {
        let resolve = async move { TierResolver::resolve(self, key).await };
        Box::pin(catch_panic(resolve, || {
            Err(ResolveError::new(Explanation(panicked().to_string())))
        }))
    }

    fn set_tier<'a>(&'a self, api_key: &'a str, tier: Option<&'a str>) -> Answer<'a, ()> {
        boxed(move || TierStore::set_tier(self, api_key, tier))
    }
}

/// [`FleetStore`] as an object.
pub(super) trait DynFleetStore: Send + Sync {
    fn publish<'a>(&'a self, report: &'a FleetReport) -> Answer<'a, ()>;

    fn figures(&self) -> Answer<'_, Figures>;

    fn bypass(&self) -> Answer<'_, Option<FleetBypass>>;

    fn set_bypass<'a>(&'a self, bypass: Option<&'a FleetBypass>) -> Answer<'a, ()>;
}

impl<T: FleetStore> DynFleetStore for T {
    fn publish<'a>(&'a self, report: &'a FleetReport) -> Answer<'a, ()> {
        boxed(|| FleetStore::publish(self, report))
    }

    fn figures(&self) -> Answer<'_, Figures> {
        boxed(|| FleetStore::figures(self))
    }

    fn bypass(&self) -> Answer<'_, Option<FleetBypass>> {
        boxed(|| FleetStore::bypass(self))
    }

    fn set_bypass<'a>(&'a self, bypass: Option<&'a FleetBypass>) -> Answer<'a, ()> {
        boxed(move || FleetStore::set_bypass(self, bypass))
    }
}

fn panicked() -> StoreError {
    StoreError::defect("it panicked")
}

/// Calls a method of a store. A bug in a store must not end the request, nor a task or a thread that
/// serves other requests.
pub(super) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| panicked())
}

/// Awaits an answer of a store, or returns what stands for a panic in it.
async fn catch_panic<T>(future: impl Future<Output = T>, panicked: impl Fn() -> T) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = catch(|| future.as_mut().poll(context));
        poll.unwrap_or_else(|_| Poll::Ready(panicked()))
    })
    .await
}
