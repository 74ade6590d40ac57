//! A store of any type, and what keeps requests from waiting for it.

use std::{sync::Arc, time::Duration};

use super::{
    Bucket, Charge, Decisions, FleetBypass, FleetReport, Store, StoreError, StoreHealth,
    breaker::Breaker,
    in_time,
    object::{Answer, DynFleetStore, DynStore, DynTierStore, catch},
};
use crate::{
    algorithm::Decision,
    budget::Budget,
    client::{ApiKey, KnownKey, ResolveError, TierResolver},
    clock::Clock,
    observe::Figures,
};

/// Any store, with the capabilities that it states.
pub(crate) struct ErasedStore {
    store: Arc<dyn DynStore>,
    guard: Guard,
    timeout: Duration,
    clock: Option<Arc<dyn Clock>>,
    rejection_ttl: Duration,
    tiers: Option<Arc<dyn DynTierStore>>,
    fleet: Option<Box<dyn DynFleetStore>>,
}

/// What keeps requests from waiting for a store that is unavailable.
enum Guard {
    /// Nothing: the state is in this process.
    InProcess,
    /// The timeouts and the circuit breaker of the store.
    Store,
    /// The timeout and the circuit breaker of the limiter.
    Limiter(Breaker),
}

impl ErasedStore {
    pub(super) fn new<S: Store>(store: Arc<S>) -> Self {
        let timeout = Store::timeout(&store);
        let guard = if store.is_in_process() {
            Guard::InProcess
        } else if Store::health(&store).is_some() {
            Guard::Store
        } else {
            let probed = store.clone();
            Guard::Limiter(Breaker::new(move || {
                let store = probed.clone();
                async move { in_time(Budget::start(timeout), DynStore::probe(&*store)).await }
            }))
        };
        let tiers = store.tier_store();
        let fleet = store.fleet_store();
        Self {
            guard,
            timeout,
            clock: Store::clock(&store),
            rejection_ttl: store.rejection_ttl(),
            tiers: tiers.map(|tiers| Arc::new(tiers) as _),
            fleet: fleet.map(|fleet| Box::new(fleet) as _),
            store,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.clock.clone()
    }

    pub(super) fn rejection_ttl(&self) -> Duration {
        self.rejection_ttl
    }

    pub(crate) fn is_in_process(&self) -> bool {
        matches!(self.guard, Guard::InProcess)
    }

    pub(super) fn health(&self) -> Option<StoreHealth> {
        match &self.guard {
            Guard::InProcess | Guard::Store => catch(|| self.store.health()).ok().flatten(),
            Guard::Limiter(breaker) => Some(breaker.health()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.store.name()
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn server(&self) -> Option<&str> {
        self.store.server()
    }

    /// Returns whether a check may be decided without waiting.
    pub(crate) fn has_sync_check(&self) -> bool {
        catch(|| self.store.sync_check().is_some()).unwrap_or(false)
    }

    /// Decides without waiting; `None` if that is not possible.
    pub(crate) fn try_check_all(
        &self,
        charges: &[Charge],
    ) -> Option<Result<Decisions, StoreError>> {
        let check = || {
            let store = self.store.sync_check()?;
            match charges {
                [Charge { bucket, cost, .. }] => {
                    let decision = store.try_check(bucket, *cost)?;
                    Some(Decisions::from_buf([decision]))
                }
                several => store.try_check_all(several).map(Decisions::from),
            }
        };
        let decisions = catch(check).transpose()?;
        Some(decisions.and_then(|decisions| one_for_each(charges, decisions)))
    }

    pub(super) async fn check_all(
        &self,
        charges: &[Charge],
        budget: Budget,
    ) -> Result<Decisions, StoreError> {
        let check = async || {
            let budget = (!self.is_in_process()).then_some(budget);
            let decisions = self.store.check_all(charges, budget).await?;
            one_for_each(charges, Decisions::from(decisions))
        };
        match &self.guard {
            Guard::InProcess | Guard::Store => check().await,
            Guard::Limiter(breaker) => breaker.ask(check).await,
        }
    }

    pub(super) async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.ask(self.store.charge(bucket, cost)).await
    }

    pub(super) async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.ask(self.store.refund(bucket, cost, taken)).await
    }

    pub(super) async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.ask(self.store.reset(bucket)).await
    }

    pub(super) async fn give_back_leases(&self) {
        self.store.give_back_leases().await;
    }

    /// An operation of the store, guarded.
    async fn ask<T>(&self, answer: Answer<'_, T>) -> Result<T, StoreError> {
        match &self.guard {
            Guard::InProcess | Guard::Store => answer.await,
            Guard::Limiter(breaker) => {
                let answer = || in_time(Budget::start(self.timeout), answer);
                breaker.ask(answer).await
            }
        }
    }

    /// An operation that says nothing about the buckets: it is not begun during an outage, but its
    /// failure is no outage.
    async fn ask_aside<T>(&self, answer: Answer<'_, T>) -> Result<T, StoreError> {
        match &self.guard {
            Guard::InProcess | Guard::Store => answer.await,
            Guard::Limiter(breaker) if breaker.is_closed() => {
                in_time(Budget::start(self.timeout), answer).await
            }
            Guard::Limiter(_) => Err(StoreError::not_asked()),
        }
    }
}

/// The tiers of API keys that are in a store, guarded as the store is.
#[derive(Clone)]
pub(crate) struct StoreTiers {
    store: Arc<ErasedStore>,
    tiers: Arc<dyn DynTierStore>,
}

impl StoreTiers {
    pub(super) fn of(store: &Arc<ErasedStore>) -> Option<Self> {
        Some(Self {
            store: store.clone(),
            tiers: store.tiers.clone()?,
        })
    }

    pub(crate) async fn set(&self, api_key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        self.store
            .ask_aside(self.tiers.set_tier(api_key, tier))
            .await
    }
}

impl TierResolver for StoreTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let resolved = self.tiers.resolve(key);
        match &self.store.guard {
            Guard::InProcess | Guard::Store => resolved.await,
            Guard::Limiter(breaker) => {
                let budget = Budget::start(self.store.timeout);
                let in_time = async || {
                    let resolved = budget.run(resolved).await;
                    resolved.map_err(|_| StoreError::new("no answer in time"))
                };
                match breaker.ask(in_time).await {
                    Ok(resolved) => resolved,
                    Err(error) if error.is_outage() => Err(ResolveError::unanswered(error)),
                    Err(error) => Err(ResolveError::not_asked(error)),
                }
            }
        }
    }
}

/// What a store shares between processes, guarded as the store is.
#[derive(Clone, Copy)]
pub(crate) struct Fleet<'a> {
    store: &'a ErasedStore,
    fleet: &'a dyn DynFleetStore,
}

impl<'a> Fleet<'a> {
    pub(super) fn of(store: &'a ErasedStore) -> Option<Self> {
        let fleet = store.fleet.as_deref()?;
        Some(Self { store, fleet })
    }

    /// Returns whether this failure counts as no outage of the store, so that no circuit breaker logs it.
    pub(crate) fn is_alone_in(self, error: &StoreError) -> bool {
        !matches!(self.store.guard, Guard::Store) && error.is_outage()
    }

    pub(crate) async fn publish(self, report: &FleetReport) -> Result<(), StoreError> {
        self.store.ask_aside(self.fleet.publish(report)).await
    }

    pub(crate) async fn figures(self) -> Result<Figures, StoreError> {
        self.store.ask_aside(self.fleet.figures()).await
    }

    pub(crate) async fn bypass(self) -> Result<Option<FleetBypass>, StoreError> {
        self.store.ask_aside(self.fleet.bypass()).await
    }

    pub(crate) async fn set_bypass(self, bypass: Option<&FleetBypass>) -> Result<(), StoreError> {
        self.store.ask_aside(self.fleet.set_bypass(bypass)).await
    }
}

/// A store that returns more or fewer decisions has decided about other charges.
fn one_for_each(charges: &[Charge], decisions: Decisions) -> Result<Decisions, StoreError> {
    if decisions.len() == charges.len() {
        return Ok(decisions);
    }
    Err(StoreError::defect(format!(
        "it returned {} decisions for {} charges",
        decisions.len(),
        charges.len()
    )))
}

#[cfg(test)]
mod tests;
