//! How many requests there were, by policy, tier and what became of them.
//!
//! Counts only grow. They are added to by every request and read once a second, so each has a few
//! lanes that threads add to without being in each other's way, and a reader adds the lanes up.

use std::{
    array,
    cell::Cell,
    sync::{OnceLock, atomic::AtomicU32},
};

use crate::{
    policy::{Policy, Tier, registry},
    sync::atomic::{AtomicU64, Ordering},
};

/// What became of a request under one policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was admitted, or is on a tier without a limit.
    Allowed,
    /// It was turned away.
    Limited,
    /// A policy in shadow mode would have turned it away.
    Shadow,
    /// It is exempt.
    Exempt,
    /// Somebody has turned the limits off, for all or for this request.
    Bypassed,
    /// The store could not be asked, and nobody decided in its place.
    StoreError,
}

/// Requests by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Admitted, or on a tier without a limit.
    pub allowed: u64,
    /// Turned away.
    pub limited: u64,
    /// Admitted, though a policy in shadow mode would have turned them away.
    pub shadow: u64,
    /// Exempt: the policy says so, or the network that they came from.
    pub exempt: u64,
    /// Admitted because the limits were turned off, for all or for them.
    pub bypassed: u64,
    /// Admitted or turned away without a decision, since the store could not be asked.
    pub store_error: u64,
}

impl Totals {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.allowed + self.limited + self.shadow + self.exempt + self.bypassed + self.store_error
    }

    fn each(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            allowed: with(self.allowed, other.allowed),
            limited: with(self.limited, other.limited),
            shadow: with(self.shadow, other.shadow),
            exempt: with(self.exempt, other.exempt),
            bypassed: with(self.bypassed, other.bypassed),
            store_error: with(self.store_error, other.store_error),
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        self.each(other, u64::wrapping_add)
    }

    /// What has come since those were counted.
    pub(super) fn since(&self, before: &Self) -> Self {
        self.each(before, u64::saturating_sub)
    }
}

/// So many pairs of policy and tier are told apart; a power of two. A program has no more than it
/// declares, unless it makes policies while it runs.
const SERIES: usize = 1024;

/// So many places are looked at before a pair counts among the rest.
const PROBES: usize = 32;

const LANES: usize = 8;

/// A table that is never locked: a place is taken once, by the first request of its pair.
pub(super) struct Counts {
    places: Box<[OnceLock<Box<Series>>]>,
    rest: Box<Series>,
}

/// The counts of one policy and tier.
struct Series {
    policy: &'static str,
    tier: &'static str,
    lanes: [Lane; LANES],
}

/// As much as a processor's cache keeps together: what is compared and what is added to.
#[repr(align(64))]
struct Lane {
    id: (u64, usize),
    counts: [AtomicU64; 6],
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            places: (0..SERIES).map(|_| OnceLock::new()).collect(),
            rest: Box::new(Series::new("other", "other", (0, 0))),
        }
    }

    /// Counts a request.
    pub(super) fn add(&self, policy: &'static Policy, tier: &'static Tier, outcome: Outcome) {
        let lane = self.lane_of(policy, tier, lane() as usize % LANES);
        lane.counts[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn lane_of(&self, policy: &'static Policy, tier: &'static Tier, lane: usize) -> &Lane {
        let id = (policy.id(), std::ptr::from_ref(tier).addr());
        // Both are spread already, the one as a hash and the other over memory.
        let first = spread(id.0 ^ id.1 as u64);
        for n in 0..PROBES {
            let place = &self.places[(first + n) % SERIES];
            let series = place.get_or_init(|| {
                registry::register_checked(policy);
                Box::new(Series::new(policy.name(), tier.name(), id))
            });
            let lane = &series.lanes[lane];
            if lane.id == id {
                return lane;
            }
        }
        &self.rest.lanes[lane]
    }

    /// The totals of each series that has been used.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, Totals)> {
        let taken = self.places.iter().filter_map(OnceLock::get);
        taken
            .chain([&self.rest])
            .map(|series| (series.policy, series.tier, series.totals()))
            .filter(|(_, _, totals)| totals.requests() > 0)
    }

    /// The totals of each policy that has been used.
    pub(super) fn by_policy(&self) -> Vec<(&'static str, Totals)> {
        let mut policies: Vec<(&'static str, Totals)> = Vec::new();
        for (policy, _, totals) in self.all() {
            match policies.iter_mut().find(|(name, _)| *name == policy) {
                Some((_, sum)) => *sum = sum.plus(&totals),
                None => policies.push((policy, totals)),
            }
        }
        policies
    }
}

/// A place in the table (by Fibonacci hashing: Knuth, volume 3, section 6.4).
fn spread(id: u64) -> usize {
    usize::from((id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16)
}

impl Series {
    fn new(policy: &'static str, tier: &'static str, id: (u64, usize)) -> Self {
        Self {
            policy,
            tier,
            lanes: array::from_fn(|_| Lane {
                id,
                counts: array::from_fn(|_| AtomicU64::new(0)),
            }),
        }
    }

    fn totals(&self) -> Totals {
        let of = |outcome: Outcome| {
            let lanes = self.lanes.iter();
            lanes
                .map(|lane| lane.counts[outcome as usize].load(Ordering::Relaxed))
                .sum()
        };
        Totals {
            allowed: of(Outcome::Allowed),
            limited: of(Outcome::Limited),
            shadow: of(Outcome::Shadow),
            exempt: of(Outcome::Exempt),
            bypassed: of(Outcome::Bypassed),
            store_error: of(Outcome::StoreError),
        }
    }
}

thread_local! {
    static LANE: Cell<Option<u32>> = const { Cell::new(None) };
    static TURN: Cell<u32> = const { Cell::new(0) };
}

/// This thread's.
fn lane() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    LANE.get().unwrap_or_else(|| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        LANE.set(Some(next));
        next
    })
}

/// True once in so many times on a thread, and the first time.
pub(super) fn is_one_in(many: u32) -> bool {
    let turn = TURN.get();
    TURN.set(turn.wrapping_add(1));
    turn.is_multiple_of(many)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::policy::{Algorithm, Quota};

    #[test]
    fn no_request_is_lost_between_threads() {
        static TIERS: [Tier; 2] = [
            Tier::new("free", Quota::per_minute(1)),
            Tier::unlimited("internal"),
        ];
        static POLICY: Policy = Policy::new("counted", Algorithm::FixedWindow, &TIERS);
        let counts = Counts::new();
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        let outcome = [Outcome::Allowed, Outcome::Limited, Outcome::Shadow][n % 3];
                        counts.add(&POLICY, &TIERS[n % 2], outcome);
                    }
                });
            }
        });
        let mut all: Vec<_> = counts.all().collect();
        all.sort_by_key(|(_, tier, _)| *tier);
        let [("counted", "free", free), ("counted", "internal", internal)] = all[..] else {
            panic!("{all:?}");
        };
        assert_eq!(free.requests() + internal.requests(), 12_000);
        assert_eq!(free.allowed, 12 * 167);
        assert_eq!(internal.limited, 12 * 167);
        let [("counted", totals)] = counts.by_policy()[..] else {
            panic!("one policy");
        };
        assert_eq!(totals.requests(), 12_000);
    }

    #[test]
    fn policies_without_end_count_among_the_rest() {
        let counts = Counts::new();
        for n in 0..2000 {
            let name = format!("made up {n}").leak();
            let tiers = vec![Tier::new("free", Quota::per_minute(1))].leak();
            let policy = Policy::new(name, Algorithm::FixedWindow, tiers);
            let policy: &'static Policy = Box::leak(Box::new(policy));
            counts.add(policy, &tiers[0], Outcome::Allowed);
        }
        let series: Vec<_> = counts.all().collect();
        assert!(series.len() <= SERIES + 1);
        let rest = series.iter().find(|(policy, _, _)| *policy == "other");
        assert!(rest.is_some_and(|(_, _, totals)| totals.requests() > 900));
        let all: u64 = series.iter().map(|(_, _, totals)| totals.requests()).sum();
        assert_eq!(all, 2000);
    }
}
