//! A part of the buckets, under one lock, and how it stays bounded.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::{
    IndexMap,
    map::raw_entry_v1::{RawEntryApiV1, RawEntryMut},
};

use super::{BucketKey, Place};
use crate::{
    algorithm::{Decision, State},
    policy::Quota,
    store::Bucket,
};

/// How many entries are looked at for each that is added: more than one, so that what has expired
/// goes faster than new comes.
const SWEEP: usize = 2;

/// How many entries are looked at for the one that goes when the shard is full.
const CANDIDATES: usize = 8;

pub(super) struct Shard {
    // The entries lie side by side in the order they came, which makes them cheap to walk over.
    entries: IndexMap<BucketKey, Entry, BuildHasherDefault<NoHasher>>,
    capacity: usize,
    // Where the sweep goes on.
    cursor: usize,
}

struct Entry {
    state: State,
    quota: Quota,
}

impl Entry {
    fn expires_at(&self) -> u64 {
        self.state.expires_at_micros(&self.quota)
    }
}

impl Shard {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: IndexMap::default(),
            capacity: capacity.max(1),
            cursor: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn check(&mut self, at: &Place, bucket: &Bucket, cost: u32, now: u64) -> Decision {
        let quota = bucket.quota();
        if let Some(entry) = self.known(at) {
            return entry.state.check(&quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.check(&quota, cost, now);
        if decision.allowed && cost > 0 {
            self.add(at, Entry { state, quota }, now);
        }
        decision
    }

    pub(super) fn peek(&mut self, at: &Place, bucket: &Bucket, cost: u32, now: u64) -> Decision {
        let quota = bucket.quota();
        match self.known(at) {
            Some(entry) => entry.state.peek(&quota, cost, now),
            None => State::new(bucket.algorithm()).peek(&quota, cost, now),
        }
    }

    pub(super) fn charge(&mut self, at: &Place, bucket: &Bucket, cost: u32, now: u64) -> Decision {
        let quota = bucket.quota();
        if let Some(entry) = self.known(at) {
            return entry.state.charge(&quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.charge(&quota, cost, now);
        if cost > 0 {
            self.add(at, Entry { state, quota }, now);
        }
        decision
    }

    pub(super) fn refund(
        &mut self,
        at: &Place,
        bucket: &Bucket,
        cost: u32,
        taken_at: u64,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota();
        match self.known(at) {
            Some(entry) => entry.state.refund(&quota, cost, taken_at, now),
            None => State::new(bucket.algorithm()).peek(&quota, 0, now),
        }
    }

    /// Has the bucket begin with this state; one that there is loses what it has more.
    pub(super) fn begin(&mut self, at: &Place, bucket: &Bucket, state: State, now: u64) {
        let quota = bucket.quota();
        let Some(entry) = self.known(at) else {
            self.add(at, Entry { state, quota }, now);
            return;
        };
        if entry.expires_at() <= now {
            entry.state = state;
            return;
        }
        let left = |state: &State| state.peek(&quota, 0, now).remaining;
        let excess = left(&entry.state).saturating_sub(left(&state));
        entry.state.charge(&quota, excess, now);
    }

    pub(super) fn forget(&mut self, at: &Place) {
        let entries = self.entries.raw_entry_mut_v1();
        if let RawEntryMut::Occupied(known) = entries.from_hash(at.hash, |other| *other == at.key) {
            known.swap_remove();
        }
    }

    fn known(&mut self, at: &Place) -> Option<&mut Entry> {
        let entries = self.entries.raw_entry_mut_v1();
        match entries.from_hash(at.hash, |other| *other == at.key) {
            RawEntryMut::Occupied(known) => Some(known.into_mut()),
            RawEntryMut::Vacant(_) => None,
        }
    }

    fn add(&mut self, at: &Place, entry: Entry, now: u64) {
        self.make_room(now);
        let entries = self.entries.raw_entry_mut_v1();
        if let RawEntryMut::Vacant(place) = entries.from_hash(at.hash, |other| *other == at.key) {
            place.insert_hashed_nocheck(at.hash, at.key, entry);
        }
    }

    fn make_room(&mut self, now: u64) {
        for _ in 0..SWEEP {
            self.advance();
            if let Some((_, entry)) = self.entries.get_index(self.cursor)
                && entry.expires_at() <= now
            {
                self.entries.swap_remove_index(self.cursor);
            }
        }
        if self.entries.len() >= self.capacity {
            let entries = &self.entries;
            let expiry = |i: usize| {
                entries
                    .get_index(i)
                    .map(|(_, entry)| (entry.expires_at(), i))
            };
            let soonest = (0..CANDIDATES)
                .filter_map(|n| expiry((self.cursor + n) % entries.len()))
                .min();
            self.cursor = (self.cursor + CANDIDATES) % entries.len();
            if let Some((_, i)) = soonest {
                self.entries.swap_remove_index(i);
            }
        }
    }

    fn advance(&mut self) -> usize {
        self.cursor = match self.cursor + 1 {
            next if next < self.entries.len() => next,
            _ => 0,
        };
        self.cursor
    }
}

/// The hash of an entry comes with its key from the store, which needs it to find the shard. The
/// map takes it from there and asks for no other.
#[derive(Default)]
pub(super) struct NoHasher;

impl Hasher for NoHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, _: &[u8]) {}
}
