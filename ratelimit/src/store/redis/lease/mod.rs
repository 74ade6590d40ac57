//! Leases: a process takes several requests out of a bucket at once, a *slice*, and admits them
//! without asking the store for each.
//!
//! What is in a slice is gone from the bucket, so that nobody else can have it, whatever becomes of
//! the slice's holder. It may be spent for a short time, and then goes back. That all processes
//! together admit no more than the limit, though a slice is spent later than it is taken, is the
//! doing of the bucket's books; see [`Lease`]. How large a slice is, is said in [`slice`].

mod acquisition;
mod keeper;
#[cfg(all(test, shuttle))]
mod models;
mod several;
mod slice;

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock, PoisonError},
};

use quick_cache::sync::Cache;
use tokio::sync::{Notify, Semaphore};

use self::{
    acquisition::LATE_CALLS,
    keeper::Keeper,
    slice::{Slice, Turn, Unspent},
};
use super::RedisStore;
use crate::{
    algorithm::Decision,
    budget::Budget,
    clock::{Clock, MonotonicClock, micros},
    policy::{Algorithm, Lease},
    store::{Bucket, BucketKey, StoreError},
    sync::{Mutex, MutexGuard},
};

/// How many buckets have slices in a process, at about 300 bytes each. Where there are more, those
/// that are asked for most do.
const CAPACITY: usize = 10_000;

/// What this process has leased.
pub(super) struct Leases {
    /// Whether a policy is leased that does not say.
    by_default: bool,
    clock: Arc<dyn Clock>,
    /// Made when the first bucket is leased.
    held: OnceLock<Cache<BucketKey, Arc<Held>>>,
    /// One permit for each call that may run on after its requests have timed out.
    late_calls: Arc<Semaphore>,
    keeper: Keeper,
}

/// One bucket that is leased.
struct Held {
    /// As it is kept.
    books: Bucket,
    life: u64,
    slice: Mutex<Slice>,
    /// The slice that was under way has come, or does not come.
    came: Notify,
}

impl Leases {
    pub(super) fn new(by_default: bool, clock: Option<Arc<dyn Clock>>) -> Self {
        Self {
            by_default,
            clock: clock.unwrap_or_else(|| Arc::new(MonotonicClock::new())),
            held: OnceLock::new(),
            late_calls: Arc::new(Semaphore::new(LATE_CALLS)),
            keeper: Keeper::default(),
        }
    }

    fn is_leased(&self, bucket: &Bucket) -> bool {
        bucket.policy().is_leased().unwrap_or(self.by_default)
    }

    /// How the bucket is leased, if it is.
    fn of(&self, bucket: &Bucket) -> Option<(Bucket, &'static Lease)> {
        self.is_leased(bucket).then(|| bucket.leased())?
    }

    /// The bucket as it is kept in Redis.
    pub(super) fn books(&self, bucket: &Bucket) -> Bucket {
        self.of(bucket).map_or(*bucket, |(books, _)| books)
    }

    /// What is held of a leased bucket; `None` of one that is not, and of one that nothing has been
    /// asked of yet.
    fn known(&self, bucket: &Bucket) -> Option<Arc<Held>> {
        self.held.get()?.get(&bucket.key())
    }

    /// What is held of a bucket, if that is leased.
    fn held(&self, bucket: &Bucket) -> Option<Arc<Held>> {
        let (books, lease) = self.of(bucket)?;
        if let Some(held) = self.known(bucket) {
            return Some(held);
        }
        let held = self.held.get_or_init(|| Cache::new(CAPACITY));
        let now = self.clock.now_micros();
        let new = || Ok::<_, Infallible>(Arc::new(Held::new(books, lease.life_micros, now)));
        match held.get_or_insert_with(&bucket.key(), new) {
            Ok(held) => Some(held),
            Err(never) => match never {},
        }
    }
}

impl Held {
    fn new(books: Bucket, life: u64, now: u64) -> Self {
        let capacity = books.algorithm().capacity(&books.quota());
        Self {
            books,
            life,
            slice: Mutex::new(Slice::new(capacity, life, now)),
            came: Notify::new(),
        }
    }

    fn slice(&self) -> MutexGuard<'_, Slice> {
        self.slice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when what is asked for now and taken by this decision may be spent.
    fn end(&self, asked_at: u64, decision: &Decision) -> u64 {
        let life = match self.books.algorithm() {
            // What is not spent in its window is gone with it.
            Algorithm::FixedWindow => self.life.min(micros(decision.reset_after)),
            Algorithm::TokenBucket | Algorithm::SlidingWindow => self.life,
        };
        asked_at.saturating_add(life)
    }
}

impl RedisStore {
    /// Whether there are slices to spend.
    pub(crate) fn has_slices(&self) -> bool {
        self.leases.held.get().is_some()
    }

    /// The decision about a request that a slice has room for.
    pub(crate) fn spend(&self, bucket: &Bucket, cost: u32) -> Option<Decision> {
        if cost == 0 || !self.leases.is_leased(bucket) {
            return None;
        }
        let held = self.leases.known(bucket)?;
        let now = self.leases.clock.now_micros();
        held.slice().spend(cost, now)
    }

    /// One check of one bucket, by its slice if it is leased.
    pub(super) async fn check_one(
        &self,
        bucket: &Bucket,
        cost: u32,
        deadline: Budget,
    ) -> Result<Decision, StoreError> {
        match self.leases.held(bucket) {
            None => self.run(deadline).check(bucket, cost).await,
            // Only a look.
            Some(held) if cost == 0 => {
                let decision = self.run(deadline).check(&held.books, 0).await?;
                Ok(held.with_slice(decision))
            }
            Some(held) => self.check_leased(&held, cost, deadline).await,
        }
    }

    async fn check_leased(
        &self,
        held: &Arc<Held>,
        cost: u32,
        deadline: Budget,
    ) -> Result<Decision, StoreError> {
        let turn = {
            let mut slice = held.slice();
            let turn = slice.turn(cost, self.leases.clock.now_micros());
            // What comes from now on is heard of, also before it is waited for.
            (turn, held.came.notified())
        };
        match turn {
            (Turn::Spent(decision), _) => return Ok(decision),
            (Turn::Take(wanted), _) => return self.acquire(held, cost, wanted, deadline).await,
            (Turn::Alone, _) => {}
            (Turn::Wait, came) => {
                // In time or not, the slice may be there; and if not, it is too late to ask.
                let _ = deadline.run(came).await;
                let now = self.leases.clock.now_micros();
                if let Some(decision) = held.slice().spend(cost, now) {
                    return Ok(decision);
                }
            }
        }
        let decision = self.run(deadline).check(&held.books, cost).await?;
        held.slice().heard(&decision);
        Ok(held.with_slice(decision))
    }

    /// Undoes that a request was admitted from a slice, or by an answer of the store.
    fn put_back(&self, held: &Arc<Held>, cost: u32, taken: &Decision) {
        if self.put_into_slice(held, cost, taken).is_none() {
            let taken = *taken;
            self.return_later(&held.books, Unspent { cost, taken });
        }
    }

    /// What is left once a slice has got back what was its own; `None` if it is over.
    fn put_into_slice(&self, held: &Arc<Held>, cost: u32, taken: &Decision) -> Option<Decision> {
        let now = self.leases.clock.now_micros();
        let decision = {
            let mut slice = held.slice();
            let is_back = slice.put_back(cost, taken.at_micros, now);
            is_back.then(|| slice.spend(0, now))?
        };
        // It may have been empty, and nothing of it was to go back.
        self.keep(held);
        decision
    }

    /// Gives back what a request has cost: to the slice that it was admitted from, if that is still
    /// there, or to the bucket.
    pub(super) async fn refund_one(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        if let Some(held) = self.leases.held(bucket)
            && let Some(decision) = self.put_into_slice(&held, cost, taken)
        {
            return Ok(decision);
        }
        let run = self.run(self.budget());
        let books = self.leases.books(bucket);
        run.refund(&books, cost, taken.at_micros).await
    }

    /// What the store said, and what this process has beside it.
    fn with_slice(&self, bucket: &Bucket, decision: Decision) -> Decision {
        match self.leases.known(bucket) {
            Some(held) => held.with_slice(decision),
            None => decision,
        }
    }

    /// Forgets the slice of a bucket that begins anew.
    pub(super) fn drop_slice(&self, bucket: &Bucket) {
        if let Some(held) = self.leases.known(bucket) {
            held.slice().reset();
        }
    }
}

impl Held {
    /// What the store said, and what this process has beside it.
    fn with_slice(&self, decision: Decision) -> Decision {
        if !decision.allowed {
            return decision;
        }
        Decision {
            remaining: decision.remaining.saturating_add(self.slice().left()),
            ..decision
        }
    }
}
