//! Where the state of buckets lives: in this process ([`MemoryStore`]), in Redis (`RedisStore`), or
//! in a [`Store`] of one's own.
//!
//! A store takes one decision at a time about one [`Bucket`], atomically: however many processes
//! and tasks ask at once, together they are admitted exactly what the quota says.

mod bucket;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::{error::Error, fmt, future::Future, pin::Pin};

pub use self::{bucket::Bucket, memory::MemoryStore};
use crate::algorithm::Decision;

/// Keeps the state of buckets and decides about requests.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex, time::Instant};
/// use ratelimit::{Bucket, Decision, RateLimiter, Store, StoreError, algorithm::State};
///
/// /// The simplest store there can be: correct, but neither bounded nor fast.
/// struct OneBigLock {
///     start: Instant,
///     states: Mutex<HashMap<Bucket, State>>,
/// }
///
/// impl Store for OneBigLock {
///     async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
///         let now = self.start.elapsed().as_micros() as u64;
///         let mut states = self.states.lock().map_err(|_| StoreError::new("poisoned"))?;
///         let state = states
///             .entry(*bucket)
///             .or_insert_with(|| State::new(bucket.algorithm()));
///         Ok(state.check(&bucket.quota(), cost, now))
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
    /// Decides about a request of this cost, and takes the cost from the bucket if it is allowed,
    /// as one atomic step.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, or did not answer in time.
    fn check(
        &self,
        bucket: &Bucket,
        cost: u32,
    ) -> impl Future<Output = Result<Decision, StoreError>> + Send;

    /// The store as a limiter keeps it. Those of this crate say which they are.
    #[doc(hidden)]
    fn erase(self) -> AnyStore
    where
        Self: Sized,
    {
        AnyStore::Custom(Box::new(self))
    }
}

/// The store took no decision.
#[derive(Debug)]
pub struct StoreError(Box<dyn Error + Send + Sync>);

impl StoreError {
    /// The reason, as it will be logged: it must hold no secret.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store of the rate limits did not answer: {}", self.0)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// The store of a limiter. The stores of this crate are known to the compiler, so that a check
/// with them allocates no future.
#[doc(hidden)]
pub enum AnyStore {
    Memory(MemoryStore),
    #[cfg(feature = "redis")]
    Redis(redis::RedisStore),
    Custom(Box<dyn DynStore>),
}

impl AnyStore {
    pub(crate) async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.decide(bucket, cost)),
            #[cfg(feature = "redis")]
            Self::Redis(store) => Store::check(store, bucket, cost).await,
            Self::Custom(store) => store.check(bucket, cost).await,
        }
    }
}

/// [`Store`] as an object.
pub trait DynStore: Send + Sync {
    fn check<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Decision, StoreError>> + Send + 'a>>;
}

impl<S: Store> DynStore for S {
    fn check<'a>(
        &'a self,
        bucket: &'a Bucket,
        cost: u32,
    ) -> Pin<Box<dyn Future<Output = Result<Decision, StoreError>> + Send + 'a>> {
        Box::pin(Store::check(self, bucket, cost))
    }
}
