//! The embedded store: sharded, bounded, and needing no task to stay so.

mod shard;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use self::shard::Shard;
use super::{AnyStore, Bucket, Store, StoreError};
use crate::{
    algorithm::Decision,
    clock::{Clock, MonotonicClock},
};

/// Keeps the state of buckets in this process.
///
/// It holds at most [`capacity`](Self::with_capacity) buckets. What has expired goes as new buckets
/// come; where none has, a new bucket takes the place of the one that is soonest full again of a
/// few that are looked at, the one whose loss gives its client the least. A bucket takes about 100
/// bytes, and under the sliding window 8 more for each request that was admitted within the window.
///
/// ```
/// use std::time::Duration;
/// use ratelimit::{ManualClock, MemoryStore, RateLimiter};
///
/// let clock = ManualClock::new();
/// let store = MemoryStore::new().with_capacity(10_000).with_clock(clock.clone());
/// let limiter = RateLimiter::builder().store(store).build()?;
/// // In a test, the next minute begins at once:
/// clock.advance(Duration::from_secs(60));
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
pub struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    clock: Arc<dyn Clock>,
}

/// A power of two. More than there are cores, so that two of them seldom want the same one.
const SHARDS: usize = 64;

const DEFAULT_CAPACITY: usize = 1_000_000;

impl MemoryStore {
    /// An empty store for up to 1,000,000 buckets, on the machine's monotonic clock.
    pub fn new() -> Self {
        Self {
            shards: shards(DEFAULT_CAPACITY),
            hasher: RandomState::new(),
            clock: Arc::new(MonotonicClock::new()),
        }
    }

    /// Holds at most about `buckets` buckets, and at least 64. Forgets those there are.
    #[must_use]
    pub fn with_capacity(self, buckets: usize) -> Self {
        Self {
            shards: shards(buckets),
            ..self
        }
    }

    /// Counts in the time of this clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self {
            clock: Arc::new(clock),
            ..self
        }
    }

    /// How many buckets there are, those that have expired and are not yet forgotten among them.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there are no buckets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub(crate) fn decide(&self, bucket: &Bucket, cost: u32) -> Decision {
        let key = bucket.key();
        let hash = self.hasher.hash_one(key);
        // The table within a shard goes by the low bits and the highest seven; these are neither.
        let shard = (hash >> 48) as usize % SHARDS;
        let now = self.clock.now_micros();
        lock(&self.shards[shard]).check(hash, key, bucket, cost, now)
    }
}

fn shards(capacity: usize) -> Box<[Mutex<Shard>]> {
    (0..SHARDS)
        .map(|_| Mutex::new(Shard::new(capacity.div_ceil(SHARDS))))
        .collect()
}

/// A shard is whole after a panic too: it is changed only by steps that cannot panic half way.
fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        Ok(self.decide(bucket, cost))
    }

    fn erase(self) -> AnyStore {
        AnyStore::Memory(self)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
