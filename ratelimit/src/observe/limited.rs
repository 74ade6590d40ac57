//! Who was turned away: how many different clients in the last minute, and who most often in the
//! last five.
//!
//! A flood of requests that are turned away must cost little, and one of ever new clients must not
//! take memory without end. So a client's first request in a second takes one of a few places, the
//! next ones only count up there, and once a second, or when another client needs the place, it is
//! booked: into a `HyperLogLog` (Flajolet, Fusy, Gandouet and Meunier, 2007), and into a list of
//! bounded length from which those with the smallest counts are dropped, and which those who come
//! once do not get into when it is long enough.

use std::collections::HashSet;
use std::{collections::HashMap, hash::BuildHasher};

use foldhash::quality::RandomState;
use hyperloglockless::HyperLogLog;

use super::{index, lock};
use crate::{client::ClientId, sync::Mutex};

/// A power of two. In a model all clients want the same one.
const PLACES: usize = if cfg!(all(test, shuttle)) { 1 } else { 1024 };

/// Seconds in a slot of unique clients, and how many slots are a minute.
const SLOT: u64 = 5;
const SLOTS: usize = 12;

/// 2^12 registers of a byte: a standard error of 1.6 %.
const PRECISION: u8 = 12;

/// How many minutes the most limited clients are of, and how many are kept of each.
const MINUTES: usize = 5;
const KEPT: usize = 256;

/// Clients that the fleet is told of at once; more than that in two seconds are not worth the memory.
const UNTOLD: usize = 5_000;

pub(super) struct LimitedClients {
    places: Box<[Place]>,
    hasher: RandomState,
    books: Mutex<Books>,
}

/// A client with its hash, which is reckoned once.
type Place = Mutex<Option<(u64, Limited)>>;

/// A client that was turned away, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) client: ClientId,
    pub(crate) times: u64,
}

type Counts = HashMap<ClientId, u64, RandomState>;

struct Books {
    unique: [HyperLogLog; SLOTS],
    slot: u64,
    minutes: [Counts; MINUTES],
    minute: u64,
    untold: HashSet<ClientId, RandomState>,
}

impl LimitedClients {
    pub(super) fn new(now: u64) -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::new(None)).collect(),
            hasher: RandomState::default(),
            books: Mutex::new(Books::new(now)),
        }
    }

    pub(super) fn note(&self, client: ClientId) {
        let hash = self.hasher.hash_one(client);
        let mut taken = lock(&self.places[index(hash, PLACES)]);
        match &mut *taken {
            Some((_, limited)) if limited.client == client => limited.times += 1,
            other => {
                let before = other.replace((hash, Limited { client, times: 1 }));
                drop(taken);
                if let Some((hash, before)) = before {
                    lock(&self.books).add(hash, before);
                }
            }
        }
    }

    /// A second is over.
    pub(super) fn turn(&self, now: u64) {
        let mut books = lock(&self.books);
        self.book(&mut books);
        books.turn(now);
    }

    fn book(&self, books: &mut Books) {
        for place in &self.places {
            if let Some((hash, limited)) = lock(place).take() {
                books.add(hash, limited);
            }
        }
    }

    /// How many different clients, in the last minute.
    pub(super) fn unique(&self) -> u64 {
        let mut books = lock(&self.books);
        self.book(&mut books);
        books.unique()
    }

    /// Those with most, in the last five minutes.
    pub(super) fn most(&self, count: usize) -> Vec<Limited> {
        let mut books = lock(&self.books);
        self.book(&mut books);
        books.most(count)
    }

    /// Who was turned away since this was asked last.
    pub(super) fn take_untold(&self) -> HashSet<ClientId, RandomState> {
        let mut books = lock(&self.books);
        self.book(&mut books);
        std::mem::take(&mut books.untold)
    }
}

impl Books {
    fn new(now: u64) -> Self {
        Self {
            unique: std::array::from_fn(|_| nobody()),
            slot: now / SLOT,
            minutes: Default::default(),
            minute: now / 60,
            untold: HashSet::default(),
        }
    }

    fn add(&mut self, hash: u64, limited: Limited) {
        let Limited { client, times } = limited;
        self.unique[index(self.slot, SLOTS)].insert_hash(hash);
        let minute = &mut self.minutes[index(self.minute, MINUTES)];
        if let Some(known) = minute.get_mut(&client) {
            *known += times;
        } else if times > 1 || minute.len() < KEPT {
            minute.insert(client, times);
            if minute.len() >= 2 * KEPT {
                keep_the_largest(minute);
            }
        }
        if self.untold.len() < UNTOLD {
            self.untold.insert(client);
        }
    }

    fn turn(&mut self, now: u64) {
        let (slot, minute) = (now / SLOT, now / 60);
        for old in skipped(self.slot, slot, SLOTS) {
            self.unique[index(old, SLOTS)] = nobody();
        }
        for old in skipped(self.minute, minute, MINUTES) {
            self.minutes[index(old, MINUTES)].clear();
        }
        (self.slot, self.minute) = (slot, minute);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of how many there are is neither negative nor beyond 2^64"
    )]
    fn unique(&self) -> u64 {
        let mut all = nobody();
        for slot in &self.unique {
            all.union(slot).expect("their precision is the same");
        }
        // Not count(), which rounds down, and by which one client would be none.
        all.raw_count().round() as u64
    }

    fn most(&self, count: usize) -> Vec<Limited> {
        let mut sums = Counts::default();
        for (&client, times) in self.minutes.iter().flatten() {
            *sums.entry(client).or_default() += times;
        }
        let sums = sums.into_iter();
        let mut most: Vec<Limited> = sums
            .map(|(client, times)| Limited { client, times })
            .collect();
        most.sort_by_key(|limited| (std::cmp::Reverse(limited.times), limited.client.to_string()));
        most.truncate(count);
        most
    }
}

/// The slots from the one after `last` up to `now`, which begin empty.
fn skipped(last: u64, now: u64, slots: usize) -> impl Iterator<Item = u64> {
    let first = (last + 1).max((now + 1).saturating_sub(slots as u64));
    first..=now
}

/// Hashes are put in, not clients.
fn nobody() -> HyperLogLog {
    HyperLogLog::seeded(PRECISION, 0)
}

fn keep_the_largest(counts: &mut Counts) {
    let mut all: Vec<(ClientId, u64)> = counts.drain().collect();
    all.select_nth_unstable_by_key(KEPT, |&(_, times)| std::cmp::Reverse(times));
    all.truncate(KEPT);
    counts.extend(all);
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(n: u32) -> ClientId {
        ClientId::ip(IpAddr::V4(Ipv4Addr::from(n)))
    }

    #[test]
    fn clients_are_told_apart_and_forgotten_after_a_minute() {
        let limited = LimitedClients::new(1_000_000);
        for n in 0..90 {
            limited.note(client(n % 30));
        }
        // The hashes are random: of 30 clients four or more share registers in one run of 100,000.
        assert!((27..=33).contains(&limited.unique()));
        limited.turn(1_000_010);
        limited.note(client(7));
        limited.note(client(70));
        assert!((28..=34).contains(&limited.unique()));
        limited.turn(1_000_061);
        let later = limited.unique();
        assert!((1..=2).contains(&later), "those of ten seconds later");
        limited.turn(1_000_200);
        assert_eq!(limited.unique(), 0);
    }

    #[test]
    fn clients_of_the_first_second_are_not_forgotten() {
        let limited = LimitedClients::new(1_000_000);
        limited.note(client(7));
        limited.turn(1_000_001);
        assert_eq!(limited.unique(), 1);
        assert_eq!(limited.most(10).len(), 1);
    }

    #[test]
    fn a_flood_of_new_clients_is_counted_well_and_takes_no_memory() {
        let limited = LimitedClients::new(1_000_000);
        for n in 0..200_000 {
            limited.note(client(n));
        }
        let unique = limited.unique();
        assert!((190_000..210_000).contains(&unique), "{unique}");
        let books = lock(&limited.books);
        assert!(books.minutes.iter().all(|minute| minute.len() < 2 * KEPT));
        assert_eq!(books.untold.len(), UNTOLD);
    }

    #[test]
    fn whoever_is_turned_away_most_comes_first_also_in_a_flood() {
        let limited = LimitedClients::new(600);
        let often = [client(u32::MAX), client(u32::MAX - 1)];
        for n in 0..50_000 {
            limited.note(client(n));
            if n % 10 == 0 {
                limited.note(often[0]);
            }
            if n % 20 == 0 {
                limited.note(often[1]);
            }
            if n == 25_000 {
                limited.turn(660);
            }
        }
        let most = limited.most(2);
        assert_eq!(most.iter().map(|one| one.client).collect::<Vec<_>>(), often);
        assert_eq!(most[0].times, 5000);
        limited.turn(1200);
        assert!(limited.most(10).is_empty());
    }
}
