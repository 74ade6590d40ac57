//! Where the state of buckets lives: in this process ([`MemoryStore`]), in Redis (`RedisStore`), or
//! in a [`Store`] of one's own.
//!
//! A store takes one decision at a time about one [`Bucket`], atomically: however many processes
//! and tasks ask at once, together they are admitted exactly what the quota says.

mod any;
mod breaker;
mod bucket;
mod erased;
mod fleet;
mod forward;
mod health;
mod memory;
mod object;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod sync_check;
mod tier_store;

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use smallvec::SmallVec;

pub(crate) use self::{
    any::AnyStore,
    bucket::BucketKey,
    erased::{ErasedStore, Fleet},
};
pub use self::{
    bucket::Bucket,
    fleet::{FleetBypass, FleetReport, FleetStore},
    health::{StoreChange, StoreHealth},
    memory::MemoryStore,
    sync_check::SyncCheck,
    tier_store::TierStore,
};
use crate::{algorithm::Decision, budget::Budget, clock::Clock, foreign_text::Reason};

/// What a request costs one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Whose account it is, under which limit.
    pub bucket: Bucket,
    /// How many requests it counts as; 0 only looks.
    pub cost: u32,
    /// Whether the bucket has a say in it. One that has none (a limit in shadow mode) is charged if
    /// the request is admitted and fits in, and otherwise left as it is.
    pub enforced: bool,
}

/// Most requests are charged to one bucket, which is no reason to allocate.
pub(crate) type Decisions = SmallVec<[Decision; 1]>;

/// A store that keeps the state of buckets and decides about requests.
///
/// Four methods are required. Each of the others has a default that is safe for every store, and
/// states one capability. What the limiter does depends on these methods alone and not on the type
/// of the store, so a store of your own can do whatever `RedisStore` and [`MemoryStore`] do, and a
/// store that wraps another behaves like it if it forwards all methods, as `Arc<S>` and `Box<S>` do.
///
/// | method | capability | default | consequence of the default |
/// | --- | --- | --- | --- |
/// | [`timeout`](Self::timeout) | how long an answer may take | 100 ms | |
/// | [`check_all_within`](Self::check_all_within) | a deadline that the store itself observes | none | the limiter cancels a check when its time is over |
/// | [`is_in_process`](Self::is_in_process) | there is no server that may be unavailable | `false` | timeouts, a circuit breaker and a fallback in memory |
/// | [`health`](Self::health) | a circuit breaker of the store's own | `None` | the limiter puts its own in front of the store |
/// | [`clock`](Self::clock) | the clock that the store counts in | `None` | the limiter counts in a clock of its own |
/// | [`rejection_ttl`](Self::rejection_ttl) | rejections may be cached | zero | each request reaches the store |
/// | [`sync_check`](Self::sync_check) | checks that wait for nothing | `None` | each check allocates a future |
/// | [`give_back_leases`](Self::give_back_leases) | leases | nothing to give back | |
/// | [`tier_store`](Self::tier_store) | tiers of API keys | `None` | tiers come from the limiter's settings alone |
/// | [`fleet_store`](Self::fleet_store) | stats and the bypass of all processes | `None` | each process has its own |
/// | [`name`](Self::name), [`server`](Self::server) | what operators see | `"custom"`, `None` | |
///
/// The limiter reads `timeout`, `is_in_process`, `clock`, `rejection_ttl`, `tier_store` and
/// `fleet_store` once, when it is built. A panic in a store is an error of that store: the request is
/// decided as [`on_store_error`](crate::Builder::on_store_error) says.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Instant};
/// use ratelimit::{Bucket, Charge, Decision, RateLimiter, Store, StoreError, algorithm::State};
///
/// /// The simplest store there can be: correct, but neither bounded nor fast.
/// struct OneBigLock {
///     start: Instant,
///     states: Mutex<HashMap<Bucket, State>>,
/// }
///
/// impl OneBigLock {
///     /// Does something to the states, at a time.
///     fn with<T>(&self, act: impl FnOnce(&mut HashMap<Bucket, State>, u64) -> T) -> Result<T, StoreError> {
///         let mut states = self.states.lock().map_err(|_| StoreError::new("poisoned"))?;
///         Ok(act(&mut states, self.start.elapsed().as_micros() as u64))
///     }
/// }
///
/// fn state<'a>(states: &'a mut HashMap<Bucket, State>, bucket: &Bucket) -> &'a mut State {
///     states.entry(*bucket).or_insert_with(|| State::new(bucket.algorithm()))
/// }
///
/// impl Store for OneBigLock {
///     async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
///         self.with(|states, now| {
///             // A look leaves nothing behind.
///             let look = |Charge { bucket, cost, .. }: &Charge| match states.get(bucket) {
///                 Some(state) => state.peek(&bucket.quota(), *cost, now),
///                 None => State::new(bucket.algorithm()).peek(&bucket.quota(), *cost, now),
///             };
///             let seen: Vec<Decision> = charges.iter().map(look).collect();
///             if charges.iter().zip(&seen).any(|(c, seen)| c.enforced && !seen.allowed) {
///                 return seen;
///             }
///             charges
///                 .iter()
///                 .map(|c| state(states, &c.bucket).check(&c.bucket.quota(), c.cost, now))
///                 .collect()
///         })
///     }
///
///     async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
///         self.with(|states, now| state(states, bucket).charge(&bucket.quota(), cost, now))
///     }
///
///     async fn refund(&self, bucket: &Bucket, cost: u32, taken: &Decision) -> Result<Decision, StoreError> {
///         self.with(|states, now| {
///             state(states, bucket).refund(&bucket.quota(), cost, taken.at_micros, now)
///         })
///     }
///
///     async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
///         self.with(|states, _| drop(states.remove(bucket)))
///     }
/// }
///
/// let store = OneBigLock { start: Instant::now(), states: Mutex::default() };
/// let limiter = RateLimiter::builder().store(store).build()?;
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep the state of rate limits",
    note = "implement `ratelimit::Store` for it, or use `MemoryStore` or `RedisStore`"
)]
pub trait Store: Send + Sync + 'static {
    /// Decides about a request that is charged to all of these buckets, as one atomic step: if each
    /// enforced one admits it, the costs are taken from all that do, else from none.
    ///
    /// There is one decision for each charge, in the same order. Where nothing was taken, the
    /// decision of a bucket that would have admitted the request is `allowed`, with what is left as
    /// it was. No two of the buckets are the same.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn check_all(
        &self,
        charges: &[Charge],
    ) -> impl Future<Output = Result<Vec<Decision>, StoreError>> + Send;

    /// Decides about a request of this cost, and takes it from the bucket if it is allowed, as one
    /// atomic step.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn check(
        &self,
        bucket: &Bucket,
        cost: u32,
    ) -> impl Future<Output = Result<Decision, StoreError>> + Send {
        let charge = Charge {
            bucket: *bucket,
            cost,
            enforced: true,
        };
        async move {
            let decisions = self.check_all(&[charge]).await?;
            let first = decisions.into_iter().next();
            first.ok_or_else(|| StoreError::new("the store took no decision"))
        }
    }

    /// Takes this cost for something that has been done already, or all there is if that is less,
    /// as one atomic step. See [`State::charge`](crate::algorithm::State::charge).
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn charge(
        &self,
        bucket: &Bucket,
        cost: u32,
    ) -> impl Future<Output = Result<Decision, StoreError>> + Send;

    /// Gives back the cost that was taken when the decision `taken` was, as far as it still counts.
    /// See [`State::refund`](crate::algorithm::State::refund).
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> impl Future<Output = Result<Decision, StoreError>> + Send;

    /// Gives the bucket its whole quota back: forgets its state.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn reset(&self, bucket: &Bucket) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Whether the store can be asked again, after it could not: asked twice a second during an
    /// outage. It should do what a check does.
    ///
    /// # Errors
    ///
    /// It still cannot be asked.
    fn probe(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { self.check_all(&[]).await.map(drop) }
    }

    /// Returns how long the limiter waits for an answer; 100 ms by default. After that it decides as
    /// [`on_store_error`](crate::Builder::on_store_error) says.
    fn timeout(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Decides as [`check_all`](Self::check_all) does, within a budget of time of which the look-up of
    /// a tier may have used a part.
    ///
    /// By default, the future of `check_all` is dropped when the budget has run out. A store that has
    /// to complete or to undo what it has begun overrides this.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable or the budget has run out.
    fn check_all_within(
        &self,
        charges: &[Charge],
        budget: Budget,
    ) -> impl Future<Output = Result<Vec<Decision>, StoreError>> + Send {
        async move { in_time(budget, self.check_all(charges)).await }
    }

    /// Returns whether the state is in this process, so that the store is available whenever the
    /// process is; `false` by default.
    ///
    /// If so, the limiter applies no timeout and no circuit breaker, and keeps no copy of decisions
    /// for an outage. An error is logged once, and the request decided as
    /// [`on_store_error`](crate::Builder::on_store_error) says.
    fn is_in_process(&self) -> bool {
        false
    }

    /// Returns the health of the store, if it has timeouts and a circuit breaker of its own; `None` by
    /// default.
    ///
    /// If it is `None` when the limiter is built, and the store is not [in the
    /// process](Self::is_in_process), the limiter applies the [`timeout`](Self::timeout) to every
    /// call, stops calling after three failures in a row, and calls [`probe`](Self::probe) until it
    /// succeeds.
    fn health(&self) -> Option<StoreHealth> {
        None
    }

    /// Returns the clock that the store counts in, if that is in this process; `None` by default.
    ///
    /// The limiter then counts in the same clock what depends on time: cached rejections, tiers,
    /// waiting requests, the bypass and the fallback. Without it, a store that a test moves by a
    /// [`ManualClock`](crate::ManualClock) and its limiter disagree about the time.
    fn clock(&self) -> Option<Arc<dyn Clock>> {
        None
    }

    /// Returns how long the limiter may reject a client again without asking the store; zero by
    /// default, which caches nothing.
    ///
    /// A cached rejection is never used beyond its [`retry_after`](Decision::retry_after), and it is
    /// forgotten if this limiter resets or refunds the bucket. What others give back to the bucket is
    /// seen only after this time. It keeps a flood of one client's requests from a store on another
    /// machine; `RedisStore` returns one second.
    ///
    /// A cached rejection also rejects requests that cost more. For a token bucket and a fixed window,
    /// [`remaining`](Decision::remaining) says which lower costs it rejects: a token bucket earns no
    /// more than its rate, and a fixed window nothing until its `retry_after`.
    fn rejection_ttl(&self) -> Duration {
        Duration::ZERO
    }

    /// Returns the part of the store that decides without waiting, if there is one; `None` by default.
    ///
    /// It is called for each check, and may return `None` while there is nothing that could be decided
    /// that way.
    fn sync_check(&self) -> Option<&impl SyncCheck> {
        None::<&Infallible>
    }

    /// Gives back the quota that this process has leased and not spent, for
    /// [`RateLimiter::give_back_leases`](crate::RateLimiter::give_back_leases). By default it does
    /// nothing. The limiter applies no timeout to it.
    fn give_back_leases(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Returns the tiers of API keys that are in the store, if there are any; `None` by default.
    ///
    /// A limiter that is given no [other source of tiers](crate::Builder::tier_resolver) uses them.
    fn tier_store(&self) -> Option<impl TierStore> {
        None::<Infallible>
    }

    /// Returns the part of the store that shares stats and the bypass between processes, if there is
    /// one; `None` by default.
    fn fleet_store(&self) -> Option<impl FleetStore> {
        None::<Infallible>
    }

    /// Returns what kind of store it is, as one lower-case word; `"custom"` by default.
    fn name(&self) -> &'static str {
        "custom"
    }

    /// Returns the address of the server, if there is one, without secrets; `None` by default.
    fn server(&self) -> Option<&str> {
        None
    }
}

/// The answer, or an error when the budget has run out.
async fn in_time<T>(
    budget: Budget,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    budget
        .run(answer)
        .await
        .unwrap_or_else(|_| Err(StoreError::new("no answer in time")))
}

/// The store took no decision.
///
/// It is displayed on one line: of the reason at most 200 characters are shown, with line breaks and
/// other control characters escaped. [`source`](Error::source) returns the reason as it was given.
#[derive(Debug)]
pub struct StoreError(Failure);

#[derive(Debug)]
enum Failure {
    Outage(Box<dyn Error + Send + Sync>),
    Defect(String),
    NotAsked,
    OneBucket(Box<dyn Error + Send + Sync>),
    Refused(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// The reason, as it will be logged: it must hold no secret.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Failure::Outage(reason.into()))
    }

    /// Something is wrong with this bucket, which says nothing about the others.
    pub fn of_one_bucket(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Failure::OneBucket(reason.into()))
    }

    /// The store could answer, but not this question, now or ever. It says what would be answered.
    pub fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Failure::Refused(reason.into()))
    }

    /// It is known already that the store cannot be asked.
    pub(crate) fn not_asked() -> Self {
        Self(Failure::NotAsked)
    }

    /// The store has a bug.
    pub(crate) fn defect(what: impl Into<String>) -> Self {
        Self(Failure::Defect(what.into()))
    }

    /// It says something about one bucket alone.
    pub(crate) fn is_of_one_bucket(&self) -> bool {
        matches!(self.0, Failure::OneBucket(_))
    }

    /// The question is one that the store does not answer.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.0, Failure::Refused(_))
    }

    pub(crate) fn is_defect(&self) -> bool {
        matches!(self.0, Failure::Defect(_))
    }

    /// The store took no decision, and may not take the next one either.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self.0, Failure::Outage(_) | Failure::Defect(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store of the rate limits ")?;
        match &self.0 {
            Failure::Outage(reason) => write!(f, "did not answer: {}", Reason(&**reason)),
            Failure::Defect(what) => write!(f, "is defective: {what}"),
            Failure::NotAsked => f.write_str("is not asked during an outage"),
            Failure::OneBucket(reason) => {
                write!(f, "cannot tell of one bucket: {}", Reason(&**reason))
            }
            Failure::Refused(reason) => write!(f, "refuses a check: {}", Reason(&**reason)),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Failure::Outage(reason) | Failure::OneBucket(reason) | Failure::Refused(reason) => {
                Some(&**reason)
            }
            Failure::Defect(_) | Failure::NotAsked => None,
        }
    }
}
