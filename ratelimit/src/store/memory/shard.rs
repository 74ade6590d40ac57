//! A part of the buckets, under one lock, and how it stays bounded.

use std::hash::{BuildHasherDefault, Hasher};

use indexmap::{
    IndexMap,
    map::raw_entry_v1::{RawEntryApiV1, RawEntryMut},
};

use super::super::bucket::BucketKey;
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

    pub(super) fn check(
        &mut self,
        hash: u64,
        key: BucketKey,
        bucket: &Bucket,
        cost: u32,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota();
        if let RawEntryMut::Occupied(mut known) = self
            .entries
            .raw_entry_mut_v1()
            .from_hash(hash, |other| *other == key)
        {
            return known.get_mut().state.check(&quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.check(&quota, cost, now);
        if decision.allowed && cost > 0 {
            self.make_room(now);
            self.insert(hash, key, Entry { state, quota });
        }
        decision
    }

    fn insert(&mut self, hash: u64, key: BucketKey, entry: Entry) {
        if let RawEntryMut::Vacant(place) = self
            .entries
            .raw_entry_mut_v1()
            .from_hash(hash, |other| *other == key)
        {
            place.insert_hashed_nocheck(hash, key, entry);
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
