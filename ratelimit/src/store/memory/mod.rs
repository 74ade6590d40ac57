//! The embedded store: sharded, bounded, and needing no task to stay so.

mod capacity;
mod shard;
mod table;
mod timeline;

use std::{fmt, hash::BuildHasher, sync::Arc};

// Not the `fast` one: of addresses that are equally far apart, it has many begin at the same place.
use foldhash::quality::RandomState;
use smallvec::SmallVec;

use self::{capacity::Capacity, shard::Shard};
use super::{Bucket, Charge, Decisions, Store, StoreError, SyncCheck, bucket::BucketKey};
use crate::{
    algorithm::{Decision, State},
    clock::{Clock, MonotonicClock},
    sync::{SpinGuard, SpinLock},
};

/// A store that keeps the state of buckets in this process.
///
/// It holds as many buckets as its [capacity](Self::with_capacity) says. A bucket takes 43 to 54
/// bytes, and under the sliding window 8 more for each request that was allowed within the window.
///
/// Expired buckets are removed as new ones come. If the store is full, a new bucket takes the place of
/// another: of eight, the one whose client has used the smallest share of its quota, whatever its
/// policy. That share is what the client gets back. A flood of clients that have each used little of
/// their quotas therefore does not give a client back what it has used. Clients that have each used
/// their whole quota can do so, but about a tenth of the store's capacity of them must come for each
/// time that a bucket is evicted by them.
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
    shards: Box<[Line]>,
    capacity: Box<Capacity>,
    hasher: RandomState,
    clock: Timer,
}

/// Most stores are on one clock, which need not be looked up.
enum Timer {
    Monotonic(MonotonicClock),
    Other(Arc<dyn Clock>),
}

impl Timer {
    fn now_micros(&self) -> u64 {
        match self {
            Self::Monotonic(clock) => clock.now_micros(),
            Self::Other(clock) => clock.now_micros(),
        }
    }
}

/// A shard by itself in a line of the processor's cache.
#[repr(align(64))]
struct Line(SpinLock<Shard>);

#[cfg(not(all(test, shuttle)))]
const _: () = assert!(size_of::<Line>() == 64);

/// The number of shards, unless the capacity asks for more or fewer. It is more than there are cores,
/// so that two of them seldom want the same one.
const SHARDS: usize = 64;

/// The average number of buckets in a shard of a full store is at least this, unless there is only one
/// shard. A shard without buckets has none to evict, so that the store then holds one too many.
const SHARD_MIN: usize = 16;

/// The average number of buckets in a shard of a full store is at most this: what a shard grows by is
/// moved at once.
const SHARD_MAX: usize = 8_192;

const DEFAULT_CAPACITY: usize = 1_000_000;

impl MemoryStore {
    /// An empty store for up to 1,000,000 buckets, on the machine's monotonic clock.
    pub fn new() -> Self {
        Self {
            shards: shards(DEFAULT_CAPACITY),
            capacity: Box::new(Capacity::new(DEFAULT_CAPACITY)),
            hasher: RandomState::default(),
            clock: Timer::Monotonic(MonotonicClock::new()),
        }
    }

    /// Sets the number of buckets that the store holds, and empties it.
    ///
    /// It evicts a bucket only if it holds `buckets` of them. It can hold more by one for each part
    /// that is locked by itself, which is at most a sixteenth of `buckets`; a store for fewer than 32
    /// never holds more. A capacity of 0 is taken for 1.
    #[must_use]
    pub fn with_capacity(self, buckets: usize) -> Self {
        Self {
            shards: shards(buckets),
            capacity: Box::new(Capacity::new(buckets)),
            ..self
        }
    }

    /// Counts in the time of this clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        Self {
            clock: Timer::Other(Arc::new(clock)),
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

    /// Of several buckets, with no detour for one.
    pub(crate) fn decide(&self, charges: &[Charge]) -> Decisions {
        match charges {
            [Charge { bucket, cost, .. }] => Decisions::from_buf([self.decide_one(bucket, *cost)]),
            several => self.decide_all(several),
        }
    }

    pub(crate) fn decide_one(&self, bucket: &Bucket, cost: u32) -> Decision {
        let place = self.place(bucket);
        let (mut shard, now) = self.enter(&place);
        shard.check(&place, bucket, cost, now)
    }

    fn decide_all(&self, charges: &[Charge]) -> Decisions {
        let places: SmallVec<[Place<'_>; 4]> =
            charges.iter().map(|c| self.place(&c.bucket)).collect();
        // All of their shards, each once, and always in the same order: two checks that want the
        // same ones cannot wait for each other.
        let mut shards: SmallVec<[usize; 4]> = places.iter().map(|place| place.shard).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut locked: SmallVec<[(usize, SpinGuard<'_, Shard>); 4]> = shards
            .into_iter()
            .map(|shard| (shard, lock(&self.shards[shard])))
            .collect();
        let reading = self.clock.now_micros();
        let times = locked
            .iter_mut()
            .map(|(_, shard)| shard.timeline.advance(reading));
        let now = times.max().unwrap_or(reading);
        for (_, shard) in &mut locked {
            shard.timeline.advance_to(now);
        }
        let mut with = |place: &Place<'_>, act: &mut dyn FnMut(&mut Shard) -> Decision| {
            let at = locked.iter().position(|(shard, _)| *shard == place.shard);
            // Every place's shard is among them.
            at.map(|at| act(&mut locked[at].1))
        };

        let all = || charges.iter().zip(&places);
        let seen: Decisions = all()
            .filter_map(|(Charge { bucket, cost, .. }, place)| {
                with(place, &mut |shard| shard.peek(place, bucket, *cost, now))
            })
            .collect();
        let admits = |(charge, seen): (&Charge, &Decision)| !charge.enforced || seen.allowed;
        if !charges.iter().zip(&seen).all(admits) {
            return seen;
        }
        all()
            .filter_map(|(Charge { bucket, cost, .. }, place)| {
                with(place, &mut |shard| shard.check(place, bucket, *cost, now))
            })
            .collect()
    }

    pub(crate) fn take(&self, bucket: &Bucket, cost: u32) -> Decision {
        let place = self.place(bucket);
        let (mut shard, now) = self.enter(&place);
        shard.charge(&place, bucket, cost, now)
    }

    pub(crate) fn give_back(&self, bucket: &Bucket, cost: u32, taken: &Decision) -> Decision {
        let place = self.place(bucket);
        let (mut shard, now) = self.enter(&place);
        shard.refund(&place, bucket, cost, taken.at_micros, now)
    }

    /// Has a bucket begin with this state, which is of the clock's time, if it does not have less left
    /// already.
    pub(crate) fn begin(&self, bucket: &Bucket, state: State) {
        let place = self.place(bucket);
        let mut shard = lock(&self.shards[place.shard]);
        let reading = self.clock.now_micros();
        let now = shard.timeline.advance(reading);
        let state = state.later_by(now - reading);
        shard.begin(&place, bucket, state, now);
    }

    /// Forgets a bucket: it is full.
    pub(crate) fn forget(&self, bucket: &Bucket) {
        let place = self.place(bucket);
        let (mut shard, _) = self.enter(&place);
        shard.forget(&place);
    }

    /// Locks the shard that a place is in, and returns it with its time.
    ///
    /// The clock is read while the lock is waited for.
    #[inline]
    fn enter(&self, place: &Place<'_>) -> (SpinGuard<'_, Shard>, u64) {
        let reading = self.clock.now_micros();
        let mut shard = lock(&self.shards[place.shard]);
        let now = match shard.timeline.try_advance(reading) {
            Some(now) => now,
            None => self.time_again(&mut shard),
        };
        (shard, now)
    }

    /// Reads the clock again, as another thread may have been quicker to the lock with a later reading,
    /// and returns the time of a shard.
    #[cold]
    fn time_again(&self, shard: &mut Shard) -> u64 {
        shard.timeline.advance(self.clock.now_micros())
    }

    #[inline]
    fn place(&self, bucket: &Bucket) -> Place<'_> {
        let key = bucket.key();
        let hash = self.hasher.hash_one(key);
        Place {
            key,
            hash,
            store: self,
            // The table within a shard goes by the lower half.
            shard: (hash >> 32) as usize & (self.shards.len() - 1),
        }
    }
}

/// Where a bucket is.
struct Place<'a> {
    key: BucketKey,
    hash: u64,
    store: &'a MemoryStore,
    shard: usize,
}

/// The shards of a store for this many buckets: a power of two of them.
fn shards(capacity: usize) -> Box<[Line]> {
    let most = (capacity / SHARD_MIN).max(1);
    let fewest = SHARDS.min(1 << most.ilog2());
    let count = capacity
        .div_ceil(SHARD_MAX)
        .next_power_of_two()
        .clamp(fewest, 1 << 16);
    (0..count)
        .map(|_| Line(SpinLock::new(Shard::new())))
        .collect()
}

/// A shard is whole after a panic too: it is changed only by steps that cannot panic half way.
fn lock(shard: &Line) -> SpinGuard<'_, Shard> {
    shard.0.lock()
}

impl Store for MemoryStore {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        Ok(self.decide(charges).into_vec())
    }

    async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        Ok(self.decide_one(bucket, cost))
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        Ok(self.take(bucket, cost))
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        Ok(self.give_back(bucket, cost, taken))
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.forget(bucket);
        Ok(())
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        Some(match &self.clock {
            Timer::Monotonic(clock) => Arc::new(clock.clone()),
            Timer::Other(clock) => clock.clone(),
        })
    }

    fn sync_check(&self) -> Option<&impl SyncCheck> {
        Some(self)
    }

    fn name(&self) -> &'static str {
        "memory"
    }
}

impl SyncCheck for MemoryStore {
    fn try_check_all(&self, charges: &[Charge]) -> Option<Vec<Decision>> {
        Some(self.decide(charges).into_vec())
    }

    fn try_check(&self, bucket: &Bucket, cost: u32) -> Option<Decision> {
        Some(self.decide_one(bucket, cost))
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

#[cfg(all(test, shuttle))]
mod models;
#[cfg(test)]
mod tests;
