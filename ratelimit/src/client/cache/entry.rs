//! One key of the cache: the last answer, and the look-up that is under way.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures_util::future::{Shared, WeakShared};
use tokio::time::Instant;

use super::super::{KnownKey, ResolveError, resolver::KnownCaller};
use crate::{
    clock::micros,
    sync::{Mutex, MutexGuard},
};

/// After a failure a key is looked up again when this time has passed.
pub(super) const FAILED_FOR: Duration = Duration::from_secs(1);

/// The number of look-ups of a known key that clients may cancel each second. After that the old answer is
/// used for a time, and then further look-ups are charged to an address.
pub(super) const CANCELLED_MAX: u32 = 10;

/// The resolver's answer; an error is shared by all that waited for it.
pub(super) type Outcome = Result<Option<KnownKey>, Arc<ResolveError>>;

pub(super) type Resolving = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One key. An answer is written to the entry that its look-up was begun for and to no other: what is
/// answered after [`TierCache::forget`] to a question from before is not cached.
#[derive(Default)]
pub(super) struct Entry(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    /// `None` before the first look-up has ended.
    pub(super) answer: Option<Answer>,
    pub(super) look_up: Option<LookUp>,
    /// How many look-ups were begun, which tells them from each other.
    pub(super) begun: u64,
    /// The next look-up is charged to no address: an operator has just set the key's tier.
    pub(super) is_free: bool,
    /// The look-ups since the last answer, if there are any. All but the last were cancelled.
    pub(super) attempts: Option<Attempts>,
}

/// Look-ups of one key that were begun.
#[derive(Clone, Copy)]
pub(super) struct Attempts {
    pub(super) first_at: u64,
    counted_from: u64,
    /// How many were begun in the second from then on.
    count: u32,
}

impl Attempts {
    pub(super) fn new(now: u64) -> Self {
        Self {
            first_at: now,
            counted_from: now,
            count: 0,
        }
    }

    pub(super) fn add(&mut self, now: u64) {
        if !is_within(FAILED_FOR, self.counted_from, now) {
            self.counted_from = now;
            self.count = 0;
        }
        self.count += 1;
    }

    /// Returns whether there were so many in this second that clients are cancelling them.
    pub(super) fn are_many(self, now: u64) -> bool {
        self.count >= CANCELLED_MAX && is_within(FAILED_FOR, self.counted_from, now)
    }
}

impl State {
    /// Returns whether a look-up needs no reservation: the key is known, though the answer may be out of
    /// date. So an address that has used up its budget keeps the keys that it had. A client that cancels
    /// its requests causes no more than [`CANCELLED_MAX`] such look-ups a second.
    pub(super) fn needs_no_reservation(&self, now: u64) -> bool {
        let are_few = |attempts: Attempts| !attempts.are_many(now);
        (self.is_free || self.is_known()) && self.attempts.is_none_or(are_few)
    }

    pub(super) fn is_known(&self) -> bool {
        let is_known = |answer: &Answer| answer.caller.is_some();
        self.answer.as_ref().is_some_and(is_known)
    }
}

/// Returns whether a look-up was begun no longer ago than this.
pub(super) fn is_within(time: Duration, begun_at: u64, now: u64) -> bool {
    now.abs_diff(begun_at) < micros(time)
}

pub(super) struct Answer {
    pub(super) caller: Option<KnownCaller>,
    /// In the time of the limiter's clock.
    pub(super) recorded_at: u64,
    /// In microseconds.
    pub(super) fresh_for: u64,
}

impl Answer {
    /// Whether it can be used without a look-up. It cannot if the clock was set back by more than it
    /// is fresh for: its age is then unknown.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        now.abs_diff(self.recorded_at) < self.fresh_for
    }
}

/// A look-up whose end is not recorded yet. It lives as long as a request waits for it: a future that
/// is kept but not polled might hold, for example, a connection that others need.
pub(super) struct LookUp {
    pub(super) id: u64,
    pub(super) outcome: WeakShared<Resolving>,
    pub(super) deadline: Instant,
}

/// A look-up as a request waits for it. Each of those that wait can drive it to its end.
pub(super) struct InFlight {
    pub(super) id: u64,
    pub(super) outcome: Shared<Resolving>,
    pub(super) deadline: Instant,
}

impl LookUp {
    pub(super) fn upgrade(&self) -> Option<InFlight> {
        Some(InFlight {
            id: self.id,
            outcome: self.outcome.upgrade()?,
            deadline: self.deadline,
        })
    }
}

impl Entry {
    pub(super) fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the last answer, however old it is.
    pub(super) fn last(&self) -> Option<KnownCaller> {
        self.lock().answer.as_ref()?.caller.clone()
    }
}
