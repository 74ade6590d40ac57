//! A part of the buckets, under one lock, and how it stays bounded.

use foldhash::quality::RandomState;

use super::{Place, table::Table, timeline::Timeline};
use crate::{
    algorithm::{Decision, Share, State},
    store::Bucket,
};

/// How many places are looked at for each entry that is added: so many that what has expired goes
/// faster than new comes.
const SWEEP: usize = 3;

/// How many entries are looked at for the one that goes when the shard is full.
const CANDIDATES: usize = 8;

pub(super) struct Shard {
    entries: Table<State>,
    /// Where the sweep goes on.
    cursor: usize,
    /// The time that its buckets are decided at.
    pub(super) timeline: Timeline,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self {
            entries: Table::new(),
            cursor: 0,
            timeline: Timeline::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn check(
        &mut self,
        at: &Place<'_>,
        bucket: &Bucket,
        cost: u32,
        now: u64,
    ) -> Decision {
        match self.known(at) {
            Some(state) => state.check(bucket.quota_ref(), cost, now),
            None => self.check_unknown(at, bucket, cost, now),
        }
    }

    #[cold]
    fn check_unknown(&mut self, at: &Place<'_>, bucket: &Bucket, cost: u32, now: u64) -> Decision {
        let mut state = State::new(bucket.algorithm());
        let decision = state.check(bucket.quota_ref(), cost, now);
        if decision.allowed && cost > 0 {
            self.add(at, bucket, state, now);
        }
        decision
    }

    pub(super) fn peek(
        &mut self,
        at: &Place<'_>,
        bucket: &Bucket,
        cost: u32,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota_ref();
        match self.known(at) {
            Some(state) => state.peek(quota, cost, now),
            None => State::new(bucket.algorithm()).peek(quota, cost, now),
        }
    }

    pub(super) fn charge(
        &mut self,
        at: &Place<'_>,
        bucket: &Bucket,
        cost: u32,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota_ref();
        if let Some(state) = self.known(at) {
            return state.charge(quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.charge(quota, cost, now);
        if cost > 0 {
            self.add(at, bucket, state, now);
        }
        decision
    }

    pub(super) fn refund(
        &mut self,
        at: &Place<'_>,
        bucket: &Bucket,
        cost: u32,
        taken_at: u64,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota_ref();
        match self.known(at) {
            Some(state) => state.refund(quota, cost, taken_at, now),
            None => State::new(bucket.algorithm()).peek(quota, 0, now),
        }
    }

    /// Has the bucket begin with this state; one that there is loses what it has more.
    pub(super) fn begin(&mut self, at: &Place<'_>, bucket: &Bucket, state: State, now: u64) {
        let quota = bucket.quota_ref();
        let Some(known) = self.known(at) else {
            self.add(at, bucket, state, now);
            return;
        };
        if known.expires_at_micros() <= now {
            *known = state.with_capacity_of(quota);
            return;
        }
        let left = |state: &State| state.peek(quota, 0, now).remaining;
        let excess = left(known).saturating_sub(left(&state));
        known.charge(quota, excess, now);
    }

    pub(super) fn forget(&mut self, at: &Place<'_>) {
        if let Some(place) = self.entries.find(&at.key, at.hash) {
            self.entries.remove(place, &at.store.hasher);
            at.store.capacity.release(1);
        }
    }

    fn known(&mut self, at: &Place<'_>) -> Option<&mut State> {
        self.entries.get_mut(&at.key, at.hash)
    }

    /// Adds what is not there.
    fn add(&mut self, at: &Place<'_>, bucket: &Bucket, state: State, now: u64) {
        self.make_room(at, now);
        let state = state.with_capacity_of(bucket.quota_ref());
        self.entries.add(at.key, state, at.hash, &at.store.hasher);
    }

    /// Removes what has expired, and has one more entry counted. If the store is full, the entry takes
    /// the place of another.
    fn make_room(&mut self, at: &Place<'_>, now: u64) {
        match self.sweep(&at.store.hasher, now) {
            0 => {
                if !at.store.capacity.try_reserve() && !self.evict(&at.store.hasher, now) {
                    at.store.capacity.exceed();
                }
            }
            1 => {}
            removed => at.store.capacity.release(removed - 1),
        }
    }

    /// Removes what has expired at the next few places, and returns how many entries that were.
    fn sweep(&mut self, hasher: &RandomState, now: u64) -> usize {
        let before = self.entries.len();
        for _ in 0..SWEEP {
            let state = self.entries.at(self.cursor);
            if state.is_some_and(|state| state.expires_at_micros() <= now) {
                // What followed may now be there.
                self.entries.remove(self.cursor, hasher);
            } else {
                self.advance();
            }
        }
        before - self.entries.len()
    }

    /// Removes, of the next few entries, the one whose client has used the smallest share of its quota,
    /// which is what forgetting it gives back. Of equal ones it is the one that is full again soonest.
    /// Returns whether there was any.
    ///
    /// The entry that is about to be added is not among them, though it has mostly used the least: a
    /// client that is never held is never limited.
    fn evict(&mut self, hasher: &RandomState, now: u64) -> bool {
        let mut least: Option<(Share, u64, usize)> = None;
        let mut candidates = 0;
        while candidates < CANDIDATES.min(self.entries.len()) {
            let place = self.advance();
            if let Some(state) = self.entries.at(place) {
                candidates += 1;
                let this = (state.share_used(now), state.expires_at_micros(), place);
                least = Some(least.map_or(this, |other| other.min(this)));
            }
        }
        let Some((_, _, place)) = least else {
            return false;
        };
        self.entries.remove(place, hasher);
        true
    }

    fn advance(&mut self) -> usize {
        self.cursor = match self.cursor + 1 {
            next if next < self.entries.places() => next,
            _ => 0,
        };
        self.cursor
    }
}
