//! Where the state of buckets lives: in this process ([`MemoryStore`]), in Redis (`RedisStore`), or
//! in a [`Store`] of one's own.
//!
//! A store takes one decision at a time about one [`Bucket`], atomically: however many processes
//! and tasks ask at once, together they are admitted exactly what the quota says.

mod any;
mod breaker;
mod bucket;
mod health;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

use smallvec::SmallVec;

use self::any::CustomStore;
pub(crate) use self::{any::AnyStore, breaker::Breaker, bucket::BucketKey};
pub use self::{
    bucket::Bucket,
    health::{StoreChange, StoreHealth},
    memory::MemoryStore,
};
use crate::algorithm::Decision;

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

/// Keeps the state of buckets and decides about requests.
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

    /// How long a limiter waits for this store before it decides without it; 100 ms unless said
    /// otherwise.
    fn timeout(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// The store as a limiter keeps it. Those of this crate say which they are.
    #[doc(hidden)]
    fn erase(self) -> AnyStore
    where
        Self: Sized,
    {
        AnyStore::Custom(CustomStore::new(self))
    }
}

/// A store that the application keeps a handle to as well.
impl<S: Store> Store for Arc<S> {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        (**self).check_all(charges).await
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
}

/// The store took no decision.
#[derive(Debug)]
pub struct StoreError(Failure);

#[derive(Debug)]
enum Failure {
    Outage(Box<dyn Error + Send + Sync>),
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

    /// It says something about one bucket alone.
    pub(crate) fn is_of_one_bucket(&self) -> bool {
        matches!(self.0, Failure::OneBucket(_))
    }

    /// The question is one that the store does not answer.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.0, Failure::Refused(_))
    }

    fn is_outage(&self) -> bool {
        matches!(self.0, Failure::Outage(_))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store of the rate limits ")?;
        match &self.0 {
            Failure::Outage(reason) => write!(f, "did not answer: {reason}"),
            Failure::NotAsked => f.write_str("is not asked during an outage"),
            Failure::OneBucket(reason) => write!(f, "cannot tell of one bucket: {reason}"),
            Failure::Refused(reason) => write!(f, "refuses a check: {reason}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Failure::Outage(reason) | Failure::OneBucket(reason) | Failure::Refused(reason) => {
                Some(&**reason)
            }
            Failure::NotAsked => None,
        }
    }
}
