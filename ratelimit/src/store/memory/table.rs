//! A hash table whose entries lie in one stretch of memory: open addressing with linear probing, and
//! deletion by moving back what follows (Knuth, volume 3, section 6.4, algorithms L and R).
//!
//! A look-up is one place in memory, or a few that lie side by side, where a table of references
//! would be two or three far apart: at a million clients that is what a check costs. Searches begin
//! at every other place, and look at two at once: they are one line of the processor's cache, and
//! which of the two it is that matches need not be guessed. It can be walked over by number, which is
//! how what has expired is found. And it grows by a quarter at a time, so that little of it is empty.

use std::{hash::BuildHasher, mem};

use foldhash::quality::RandomState;

use super::BucketKey;

/// Pairs of the first table.
const SMALLEST: usize = 4;

pub(super) struct Table<V> {
    pairs: Vec<Pair<V>>,
    len: usize,
}

/// Two places, the first of which has an even number.
#[repr(align(64))]
struct Pair<V>([Slot<V>; 2]);

struct Slot<V> {
    /// Of no meaning where there is no value.
    key: BucketKey,
    value: Option<V>,
}

impl<V> Table<V> {
    pub(super) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there are, taken or not.
    pub(super) fn places(&self) -> usize {
        self.pairs.len() * 2
    }

    /// What is at a place.
    pub(super) fn at(&self, place: usize) -> Option<&V> {
        self.pairs.get(place / 2)?.0[place % 2].value.as_ref()
    }

    pub(super) fn find(&self, key: &BucketKey, hash: u64) -> Option<usize> {
        let mut pair = self.home(hash) / 2;
        while let Some(Pair([first, second])) = self.pairs.get(pair) {
            let found = 2 * u8::from(first.key == *key) + u8::from(second.key == *key);
            if found != 0 {
                let place = pair * 2 + usize::from(found == 1);
                // It is not behind an empty place, whatever key was there.
                return self.at(place).map(|_| place);
            }
            if first.value.is_none() | second.value.is_none() {
                return None;
            }
            pair = if pair + 1 < self.pairs.len() {
                pair + 1
            } else {
                0
            };
        }
        None
    }

    pub(super) fn get_mut(&mut self, key: &BucketKey, hash: u64) -> Option<&mut V> {
        let place = self.find(key, hash)?;
        self.slot_mut(place).value.as_mut()
    }

    /// Adds what is not there.
    pub(super) fn add(&mut self, key: BucketKey, value: V, hash: u64, hasher: &RandomState) {
        // Three of four places at the most are taken.
        if self.places() * 3 <= (self.len + 1) * 4 {
            self.grow(hasher);
        }
        self.put(key, value, hash);
    }

    /// Empties a place, and moves back into it what would be searched for in vain from now on.
    pub(super) fn remove(&mut self, place: usize, hasher: &RandomState) {
        if self.slot_mut(place).value.take().is_none() {
            return;
        }
        self.len -= 1;
        let (mut empty, mut place) = (place, self.next(place));
        while self.at(place).is_some() {
            let home = self.home(hasher.hash_one(self.slot(place).key));
            // The search for it begins at its home, and must not end at the empty place.
            if self.distance(home, place) >= self.distance(empty, place) {
                *self.slot_mut(empty) = mem::take(self.slot_mut(place));
                empty = place;
            }
            place = self.next(place);
        }
    }

    fn grow(&mut self, hasher: &RandomState) {
        let pairs = (self.pairs.len() + self.pairs.len() / 4).max(SMALLEST);
        let mut larger = Vec::new();
        larger.reserve_exact(pairs);
        larger.resize_with(pairs, || Pair(Default::default()));
        let smaller = mem::replace(&mut self.pairs, larger);
        self.len = 0;
        for Slot { key, value } in smaller.into_iter().flat_map(|Pair(slots)| slots) {
            if let Some(value) = value {
                self.put(key, value, hasher.hash_one(key));
            }
        }
    }

    fn put(&mut self, key: BucketKey, value: V, hash: u64) {
        let mut place = self.home(hash);
        while self.at(place).is_some() {
            place = self.next(place);
        }
        let value = Some(value);
        *self.slot_mut(place) = Slot { key, value };
        self.len += 1;
    }

    fn slot(&self, place: usize) -> &Slot<V> {
        &self.pairs[place / 2].0[place % 2]
    }

    fn slot_mut(&mut self, place: usize) -> &mut Slot<V> {
        &mut self.pairs[place / 2].0[place % 2]
    }

    /// Where the search for a hash begins: as far along as its lower half is among all pairs.
    fn home(&self, hash: u64) -> usize {
        let pairs = self.pairs.len() as u64;
        // Smaller than the number of pairs.
        (((hash & 0xFFFF_FFFF) * pairs) >> 32) as usize * 2
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 < self.places() {
            place + 1
        } else {
            0
        }
    }

    /// Steps forward from one place to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        if from <= to {
            to - from
        } else {
            to + self.places() - from
        }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self {
            key: BucketKey::default(),
            value: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        hash::BuildHasher,
        net::{IpAddr, Ipv4Addr},
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
        store::Bucket,
    };

    fn key(n: u8) -> BucketKey {
        static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_minute(1))];
        static POLICY: Policy = Policy::new("table", Algorithm::FixedWindow, &TIERS);
        let client = ClientId::ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
        let bucket = Bucket::new(&POLICY, &TIERS[0], client);
        bucket.expect("limited").key()
    }

    proptest! {
        /// Whatever is added and removed, it holds what a map of the standard library does: also
        /// where few hashes are the same for many keys, and searches run into each other.
        #[test]
        fn it_holds_what_a_map_does(
            steps in prop::collection::vec((any::<bool>(), any::<u8>(), any::<u32>()), 1..400),
        ) {
            let hasher = RandomState::default();
            let mut table = Table::new();
            let mut map = HashMap::new();
            for (adds, n, value) in steps {
                let key = key(n % 100);
                let hash = hasher.hash_one(key);
                match (adds, table.find(&key, hash)) {
                    (true, None) => {
                        table.add(key, value, hash, &hasher);
                        map.insert(n % 100, value);
                    }
                    (false, Some(place)) => {
                        table.remove(place, &hasher);
                        map.remove(&(n % 100));
                    }
                    _ => {}
                }
                prop_assert_eq!(table.len(), map.len());
                for n in 0..100 {
                    let key = self::key(n);
                    let found = table.find(&key, hasher.hash_one(key));
                    let found = found.and_then(|place| table.at(place));
                    prop_assert_eq!(found, map.get(&n));
                }
            }
            let walked = (0..table.places()).filter(|&place| table.at(place).is_some());
            prop_assert_eq!(walked.count(), map.len());
        }
    }
}
