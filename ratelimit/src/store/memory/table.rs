//! A hash table whose entries lie in one stretch of memory: open addressing with linear probing, and
//! deletion by moving back what follows (Knuth, volume 3, section 6.4, algorithms L and R).
//!
//! A look-up is one place in memory, or a few that lie side by side, where a table of references
//! would be two or three far apart: at a million clients that is what a check costs. It can be
//! walked over by number, which is how what has expired is found. And it grows by a quarter at a
//! time, so that little of it is empty.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::BucketKey;

/// Places of the first table.
const SMALLEST: usize = 8;

pub(super) struct Table<E> {
    places: Vec<Option<E>>,
    len: usize,
}

pub(super) trait Keyed {
    fn key(&self) -> &BucketKey;
}

impl<E: Keyed> Table<E> {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many places there are, taken or not.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// What is at a place.
    pub(super) fn at(&self, place: usize) -> Option<&E> {
        self.places.get(place)?.as_ref()
    }

    pub(super) fn find(&self, key: &BucketKey, hash: u64) -> Option<usize> {
        let mut place = self.home(hash);
        // One place is always empty, where the search ends.
        while let Some(entry) = self.at(place) {
            if entry.key() == key {
                return Some(place);
            }
            place = self.next(place);
        }
        None
    }

    pub(super) fn get_mut(&mut self, key: &BucketKey, hash: u64) -> Option<&mut E> {
        let place = self.find(key, hash)?;
        self.places[place].as_mut()
    }

    /// Adds what is not there.
    pub(super) fn add(&mut self, entry: E, hash: u64, hasher: &RandomState) {
        // Four of five places at the most are taken.
        if self.places.len() * 4 <= (self.len + 1) * 5 {
            self.grow(hasher);
        }
        self.put(entry, hash);
    }

    /// Empties a place, and moves back into it what would be searched for in vain from now on.
    pub(super) fn remove(&mut self, place: usize, hasher: &RandomState) {
        if self.places[place].take().is_none() {
            return;
        }
        self.len -= 1;
        let (mut empty, mut place) = (place, self.next(place));
        while let Some(entry) = &self.places[place] {
            let home = self.home(hasher.hash_one(entry.key()));
            // The search for it begins at its home, and must not end at the empty place.
            if self.distance(home, place) >= self.distance(empty, place) {
                self.places.swap(empty, place);
                empty = place;
            }
            place = self.next(place);
        }
    }

    fn grow(&mut self, hasher: &RandomState) {
        let places = (self.places.len() + self.places.len() / 4).max(SMALLEST);
        let mut larger = Vec::new();
        larger.reserve_exact(places);
        larger.resize_with(places, || None);
        let smaller = std::mem::replace(&mut self.places, larger);
        self.len = 0;
        for entry in smaller.into_iter().flatten() {
            let hash = hasher.hash_one(entry.key());
            self.put(entry, hash);
        }
    }

    fn put(&mut self, entry: E, hash: u64) {
        let mut place = self.home(hash);
        while self.places[place].is_some() {
            place = self.next(place);
        }
        self.places[place] = Some(entry);
        self.len += 1;
    }

    /// Where the search for a hash begins: as far along as its lower half is among all there are.
    fn home(&self, hash: u64) -> usize {
        let places = self.places.len() as u64;
        // Smaller than the number of places.
        (((hash & 0xFFFF_FFFF) * places) >> 32) as usize
    }

    fn next(&self, place: usize) -> usize {
        if place + 1 < self.places.len() {
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
            to + self.places.len() - from
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

    struct Entry {
        key: BucketKey,
        value: u32,
    }

    impl Keyed for Entry {
        fn key(&self) -> &BucketKey {
            &self.key
        }
    }

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
                        table.add(Entry { key, value }, hash, &hasher);
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
                    prop_assert_eq!(found.map(|entry| entry.value), map.get(&n).copied());
                }
            }
            let walked = (0..table.places()).filter(|&place| table.at(place).is_some());
            prop_assert_eq!(walked.count(), map.len());
        }
    }
}
