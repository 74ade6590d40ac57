//! A part of the buckets, under one lock, and how it stays bounded.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::{
    BucketKey, Place,
    table::{Keyed, Table},
};
use crate::{
    algorithm::{Decision, State},
    policy::Quota,
    store::Bucket,
};

/// How many places are looked at for each entry that is added: so many that what has expired goes
/// faster than new comes.
const SWEEP: usize = 3;

/// How many entries are looked at for the one that goes when the shard is full.
const CANDIDATES: usize = 8;

pub(super) struct Shard {
    entries: Table<Entry>,
    capacity: usize,
    /// Where the sweep goes on.
    cursor: usize,
    /// Elsewhere, as only what is added is looked up there.
    quotas: Box<Quotas>,
}

/// By the rule of a key: there are many entries, and few rules.
#[derive(Default)]
struct Quotas(HashMap<u64, &'static Quota, RandomState>);

struct Entry {
    key: BucketKey,
    state: State,
}

// What a million clients take, and how many of a processor's cache lines a search.
const _: () = assert!(size_of::<Option<Entry>>() == 40);

impl Keyed for Entry {
    fn key(&self) -> &BucketKey {
        &self.key
    }
}

impl Shard {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: Table::new(),
            capacity: capacity.max(1),
            cursor: 0,
            quotas: Box::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn check(
        &mut self,
        at: &Place<'_>,
        bucket: &Bucket,
        cost: u32,
        now: u64,
    ) -> Decision {
        let quota = bucket.quota_ref();
        if let Some(entry) = self.known(at) {
            return entry.state.check(quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.check(quota, cost, now);
        if decision.allowed && cost > 0 {
            self.add(at, state, quota, now);
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
            Some(entry) => entry.state.peek(quota, cost, now),
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
        if let Some(entry) = self.known(at) {
            return entry.state.charge(quota, cost, now);
        }
        let mut state = State::new(bucket.algorithm());
        let decision = state.charge(quota, cost, now);
        if cost > 0 {
            self.add(at, state, quota, now);
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
            Some(entry) => entry.state.refund(quota, cost, taken_at, now),
            None => State::new(bucket.algorithm()).peek(quota, 0, now),
        }
    }

    /// Has the bucket begin with this state; one that there is loses what it has more.
    pub(super) fn begin(&mut self, at: &Place<'_>, bucket: &Bucket, state: State, now: u64) {
        let quota = bucket.quota_ref();
        let Some(entry) = self.known(at) else {
            self.add(at, state, quota, now);
            return;
        };
        if entry.state.expires_at_micros(quota) <= now {
            entry.state = state;
            return;
        }
        let left = |state: &State| state.peek(quota, 0, now).remaining;
        let excess = left(&entry.state).saturating_sub(left(&state));
        entry.state.charge(quota, excess, now);
    }

    pub(super) fn forget(&mut self, at: &Place<'_>) {
        if let Some(place) = self.entries.find(&at.key, at.hash) {
            self.entries.remove(place, at.hasher);
        }
    }

    fn known(&mut self, at: &Place<'_>) -> Option<&mut Entry> {
        self.entries.get_mut(&at.key, at.hash)
    }

    /// Adds what is not there.
    fn add(&mut self, at: &Place<'_>, state: State, quota: &'static Quota, now: u64) {
        self.make_room(at.hasher, now);
        let key = at.key;
        self.quotas.0.entry(key.rule()).or_insert(quota);
        self.entries.add(Entry { key, state }, at.hash, at.hasher);
    }

    fn make_room(&mut self, hasher: &RandomState, now: u64) {
        for _ in 0..SWEEP {
            let place = self.advance();
            let entry = self.entries.at(place);
            if entry.is_some_and(|entry| self.expires_at(entry) <= now) {
                self.entries.remove(place, hasher);
            }
        }
        if self.entries.len() < self.capacity {
            return;
        }
        // A full shard is a full table, too: these are found within a few places.
        let mut soonest: Option<(u64, usize)> = None;
        let mut candidates = 0;
        while candidates < CANDIDATES.min(self.entries.len()) {
            let place = self.advance();
            if let Some(entry) = self.entries.at(place) {
                candidates += 1;
                let this = (self.expires_at(entry), place);
                soonest = Some(soonest.map_or(this, |other| other.min(this)));
            }
        }
        if let Some((_, place)) = soonest {
            self.entries.remove(place, hasher);
        }
    }

    fn expires_at(&self, entry: &Entry) -> u64 {
        // There is one of each entry.
        let quota = self.quotas.0.get(&entry.key.rule());
        quota.map_or(0, |quota| entry.state.expires_at_micros(quota))
    }

    fn advance(&mut self) -> usize {
        self.cursor = match self.cursor + 1 {
            next if next < self.entries.places() => next,
            _ => 0,
        };
        self.cursor
    }
}
