//! One bucket's slice in this process: what is left of it, and how much the next one should be.
//!
//! A slice is what this process has lately spent in half a life, so that it is spent before its end
//! if nothing changes. It at most doubles from one to the next, and it is never more than a fraction
//! of what was left in the bucket at the last answer: the fewer there are, the fewer go at once, and
//! the last ones go one by one. (Guided self-scheduling: Polychronopoulos and Kuck, 1987.)

use std::time::Duration;

use crate::algorithm::Decision;

/// A slice is at most one part in so many of what was left.
const PARTS_OF_THE_REST: u32 = 4;

/// And one in so many of what there can be.
const PARTS_OF_ALL: u32 = 16;

#[derive(Debug)]
pub(super) struct Slice {
    life: u64,
    /// The largest there is.
    most: u32,
    left: u32,
    /// The store's decision about the whole of it.
    taken: Option<Taken>,
    /// What was left in the bucket at the last answer.
    rest: u32,
    /// How much the last slice was; 1 where requests are asked for one by one.
    size: u32,
    /// What has been spent here since.
    spent: u64,
    since: u64,
    /// What of the slice that is under way is promised to nobody yet.
    under_way: Option<u32>,
    /// How often the bucket was reset by this process.
    resets: u64,
}

/// When a slice was taken, and how the bucket stood then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) decision: Decision,
    /// This process's time.
    pub(super) asked_at: u64,
    pub(super) ends_at: u64,
}

/// What was taken from a bucket and not spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unspent {
    pub(super) cost: u32,
    /// The decision that it was taken by.
    pub(super) taken: Decision,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is admitted.
    Spent(Decision),
    /// Its part of the slice that is under way is kept for it.
    Wait,
    /// The store is asked for so much, of which the request is a part.
    Take(u32),
    /// The store is asked for the request alone.
    Alone,
}

impl Slice {
    /// Nothing yet, of a bucket that holds `capacity` and of which slices live for `life`
    /// microseconds.
    pub(super) fn new(capacity: u32, life: u64, now: u64) -> Self {
        Self {
            life,
            most: capacity / PARTS_OF_ALL,
            left: 0,
            taken: None,
            rest: 0,
            size: 1,
            spent: 0,
            since: now,
            under_way: None,
            resets: 0,
        }
    }

    pub(super) fn turn(&mut self, cost: u32, now: u64) -> Turn {
        if let Some(decision) = self.spend(cost, now) {
            return Turn::Spent(decision);
        }
        if let Some(promised) = &mut self.under_way {
            return match promised.checked_sub(cost) {
                Some(rest) => {
                    *promised = rest;
                    Turn::Wait
                }
                None => self.alone(cost, now),
            };
        }
        let wanted = self.wanted(now);
        if wanted <= cost {
            return self.alone(cost, now);
        }
        self.under_way = Some(wanted - cost);
        self.count_from(now);
        self.spent = u64::from(cost);
        Turn::Take(wanted)
    }

    /// The decision about a request that is in the slice.
    pub(super) fn spend(&mut self, cost: u32, now: u64) -> Option<Decision> {
        let taken = self.taken.filter(|taken| now < taken.ends_at)?;
        self.left = self.left.checked_sub(cost)?;
        self.spent += u64::from(cost);
        Some(Decision {
            remaining: taken.decision.remaining.saturating_add(self.left),
            ..taken.later(now)
        })
    }

    /// A slice of `size` has come, of which `cost` is spent. What is left of the one before goes
    /// back.
    pub(super) fn came(&mut self, size: u32, cost: u32, taken: Taken) -> Option<Unspent> {
        let before = self.close();
        self.left = size - cost;
        self.size = size;
        self.rest = taken.decision.remaining;
        self.taken = Some(taken);
        before
    }

    /// The slice that was under way has come, or does not come.
    pub(super) fn nothing_is_under_way(&mut self) {
        self.under_way = None;
    }

    /// Has no more requests wait for the slice that is under way. They are checked one by one
    /// until it has come.
    pub(super) fn promise_no_more(&mut self) {
        if let Some(promised) = &mut self.under_way {
            *promised = 0;
        }
    }

    /// What the store said about a request alone.
    pub(super) fn heard(&mut self, decision: &Decision) {
        self.rest = decision.remaining;
    }

    /// Takes back what a request has cost, if the slice that it was admitted from is still there.
    pub(super) fn put_back(&mut self, cost: u32, taken_at: u64, now: u64) -> bool {
        let is_there = |taken: &Taken| taken.decision.at_micros == taken_at && now < taken.ends_at;
        let left = self.left.saturating_add(cost);
        if self.taken.as_ref().is_some_and(is_there) && left <= self.size {
            self.left = left;
            return true;
        }
        false
    }

    /// Ends the slice. What is left of it goes back.
    pub(super) fn close(&mut self) -> Option<Unspent> {
        let taken = self.taken.take()?;
        let cost = std::mem::take(&mut self.left);
        (cost > 0).then_some(Unspent {
            cost,
            taken: taken.decision,
        })
    }

    /// Drops what is left, as the bucket begins again with its whole quota.
    pub(super) fn reset(&mut self) {
        self.close();
        self.resets += 1;
    }

    /// How often the bucket was reset by this process: a slice that was asked for before a reset is
    /// not spent after it.
    pub(super) fn resets(&self) -> u64 {
        self.resets
    }

    /// What is left, which is nothing where there is no slice.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// When the slice is over, where something is left of it.
    pub(super) fn ends_at(&self) -> Option<u64> {
        let taken = self.taken.filter(|_| self.left > 0)?;
        Some(taken.ends_at)
    }

    fn alone(&mut self, cost: u32, now: u64) -> Turn {
        if now.saturating_sub(self.since) >= self.life {
            self.count_from(now);
            self.size = 1;
        }
        self.spent += u64::from(cost);
        Turn::Alone
    }

    fn count_from(&mut self, now: u64) {
        self.since = now;
        self.spent = 0;
    }

    fn wanted(&self, now: u64) -> u32 {
        let passed = now.saturating_sub(self.since).max(1);
        let in_half_a_life = self.spent.saturating_mul(self.life / 2) / passed;
        u32::try_from(in_half_a_life)
            .unwrap_or(u32::MAX)
            .min(self.size.saturating_mul(2))
            .min(self.rest / PARTS_OF_THE_REST)
            .min(self.most)
    }
}

impl Taken {
    /// The decision at a later time.
    fn later(&self, now: u64) -> Decision {
        let passed = Duration::from_micros(now.saturating_sub(self.asked_at));
        Decision {
            reset_after: self.decision.reset_after.saturating_sub(passed),
            ..self.decision
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u64 = 1_000_000;

    fn taken(remaining: u32, at: u64) -> Taken {
        Taken {
            decision: Decision {
                allowed: true,
                remaining,
                retry_after: None,
                reset_after: Duration::from_secs(9),
                at_micros: at,
            },
            asked_at: at,
            ends_at: at + LIFE,
        }
    }

    /// A slice of which `size` was taken at 0, one of it spent.
    fn with(size: u32) -> Slice {
        let mut slice = Slice::new(6_000, LIFE, 0);
        assert_eq!(slice.came(size, 1, taken(5_000, 0)), None);
        slice
    }

    #[test]
    fn the_first_requests_go_alone_and_then_a_slice_doubles_while_it_is_spent_early() {
        let mut slice = Slice::new(6_000, LIFE, 0);
        assert_eq!(slice.turn(1, 0), Turn::Alone);
        assert_eq!(slice.turn(1, 5), Turn::Alone, "what is left is not known");
        slice.heard(&taken(5_998, 0).decision);
        let mut now = 10;
        for size in [2, 4, 8, 16, 32, 64, 128, 256, 375, 375] {
            assert_eq!(slice.turn(1, now), Turn::Take(size));
            assert_eq!(slice.came(size, 1, taken(5_000, now)), None);
            slice.nothing_is_under_way();
            for left in (0..size - 1).rev() {
                now += 1;
                let Turn::Spent(decision) = slice.turn(1, now) else {
                    panic!("{left} are left");
                };
                assert_eq!(decision.remaining, 5_000 + left);
            }
            now += 1;
        }
    }

    #[test]
    fn a_slice_is_what_is_spent_in_half_a_life() {
        let mut slice = with(100);
        for n in 1..100 {
            assert!(matches!(slice.turn(1, n * 9_000), Turn::Spent(_)), "{n}");
        }
        // A hundred in 0.9 s.
        assert_eq!(slice.turn(1, 900_000), Turn::Take(55));
    }

    #[test]
    fn the_last_requests_go_one_by_one() {
        for (rest, turn) in [
            (40, Turn::Take(10)),
            (11, Turn::Take(2)),
            (7, Turn::Alone),
            (0, Turn::Alone),
        ] {
            let mut slice = with(100);
            assert!(matches!(slice.turn(99, 1_000), Turn::Spent(_)));
            slice.heard(&taken(rest, 1_000).decision);
            assert_eq!(slice.turn(1, 1_000), turn, "{rest}");
        }
    }

    #[test]
    fn while_a_slice_is_under_way_as_many_wait_as_it_has_room_for() {
        let mut slice = with(2);
        assert!(matches!(slice.turn(1, 1), Turn::Spent(_)));
        assert_eq!(slice.turn(1, 2), Turn::Take(4));
        assert_eq!(slice.turn(2, 3), Turn::Wait);
        assert_eq!(slice.turn(2, 3), Turn::Alone, "one is left");
        assert_eq!(slice.turn(1, 3), Turn::Wait);
        assert_eq!(slice.turn(1, 3), Turn::Alone);
        assert_eq!(slice.came(4, 1, taken(5_000, 2)), None);
        slice.nothing_is_under_way();
        assert!(slice.spend(2, 4).is_some());
        assert!(slice.spend(1, 4).is_some());
        assert!(slice.spend(1, 4).is_none());
    }

    #[test]
    fn at_its_end_a_slice_is_over_and_what_is_left_goes_back() {
        let mut slice = with(10);
        let decision = slice.spend(3, LIFE - 1).expect("it lives");
        assert_eq!(decision.reset_after, Duration::from_micros(8_000_001));
        assert_eq!(slice.spend(1, LIFE), None);
        assert_eq!(slice.ends_at(), Some(LIFE));
        let unspent = slice.close().expect("six are left");
        assert_eq!(unspent.cost, 6);
        assert_eq!(unspent.taken.at_micros, 0);
        assert_eq!(
            (slice.close(), slice.left(), slice.ends_at()),
            (None, 0, None)
        );
        assert_eq!(slice.turn(1, 9 * LIFE), Turn::Alone, "it was long ago");
    }

    #[test]
    fn a_refund_goes_into_the_slice_that_it_is_from() {
        let mut slice = with(10);
        assert!(slice.put_back(1, 0, 5));
        assert!(!slice.put_back(1, 0, 5), "nothing more was spent");
        assert!(slice.spend(4, 6).is_some());
        assert!(!slice.put_back(4, 7, 7), "it is from another slice");
        assert!(!slice.put_back(4, 0, LIFE), "the slice is over");
        assert!(slice.put_back(4, 0, 7));
        assert_eq!(slice.close().map(|unspent| unspent.cost), Some(10));
        assert!(!slice.put_back(1, 0, 8));
    }
}
