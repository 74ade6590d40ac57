//! The sliding window, exact: a log of when the requests of the last window were admitted.
//!
//! A request is admitted if its cost and that of the requests admitted in `(now − per, now]` are
//! together at most the limit. Only what is admitted is logged: who keeps knocking is let in as
//! soon as the oldest entry leaves the window. What is admitted in one microsecond is one entry of the
//! log, with the units of cost that it stands for, so that a request takes no more room and time the
//! more it costs.

use std::{mem, time::Duration};

use super::Decision;
use crate::policy::Quota;

/// What a decision needs to know of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Units of cost within the window.
    pub(crate) used: u32,
    /// When the newest of them was admitted, if there is any.
    pub(crate) newest: u64,
    /// The entry that must have left the window before the request fits in, if it does not.
    pub(crate) blocking: u64,
}

impl View {
    /// The view after the clock has stepped back to `now`: what lies in the future was admitted now.
    pub(crate) fn no_later_than(self, now: u64) -> Self {
        Self {
            newest: self.newest.min(now),
            blocking: self.blocking.min(now),
            ..self
        }
    }
}

/// Decides about a request; if it is allowed, its cost is due in the log.
pub(crate) fn decide(view: View, quota: &Quota, cost: u32, now: u64) -> Decision {
    let leaves_after = |entry: u64| {
        Duration::from_micros(entry.saturating_add(quota.per_micros()).saturating_sub(now))
    };
    let left = quota.limit().saturating_sub(view.used);
    let allowed = cost <= left;
    let newest = if allowed && cost > 0 {
        Some(now)
    } else {
        (view.used > 0).then_some(view.newest)
    };
    Decision {
        allowed,
        remaining: if allowed { left - cost } else { left },
        retry_after: (!allowed && cost <= quota.limit()).then(|| leaves_after(view.blocking)),
        reset_after: newest.map_or(Duration::ZERO, leaves_after),
        at_micros: now,
    }
}

/// Takes the cost, or all there is if that is less: so much is due in the log.
pub(crate) fn charge(view: View, quota: &Quota, cost: u32, now: u64) -> Decision {
    let left = quota.limit().saturating_sub(view.used);
    let decision = decide(view, quota, cost.min(left), now);
    let allowed = cost <= left;
    Decision {
        allowed,
        ..decision
    }
}

/// The admissions of the last window, oldest first.
///
/// An entry is one word: the lower bits of its instant, and how many units of cost there are up to and
/// including it, modulo a power of two. So the units of a stretch of the log, and the entry that a unit is
/// in, are found without a walk over the log. It is a ring, so that old entries go without the others being
/// moved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    words: Box<[u64]>,
    /// Where the oldest entry is.
    head: u32,
    len: u32,
    /// The units up to the oldest entry, modulo [`UNITS`].
    before: u32,
    /// The units of all entries.
    total: u32,
    /// When the newest entry leaves the window.
    expires_at: u64,
}

// It is allocated for each client.
const _: () = assert!(size_of::<Log>() <= 40);

/// The bits of a word that count units. A policy's log has at most 131,072 of them, so that the difference of
/// two counts is exact. If it has more, as only a [`State`](super::State) can whose quota is no policy's, all
/// counts between the two are looked at, of which each two neighbors are close enough.
const UNIT_BITS: u32 = 18;
const UNITS_MAX: u32 = (1 << UNIT_BITS) - 1;
const UNITS: u64 = UNITS_MAX as u64;

/// The bits of a word that are of its instant, which is before the end of the log's window by less than twice
/// the longest window.
const INSTANTS: u64 = u64::MAX >> UNIT_BITS;

const _: () = assert!(2 * LONGEST_WINDOW < INSTANTS);

/// More than a [`Quota`]'s window can be, also where it is leased: 400 days.
const LONGEST_WINDOW: u64 = 400 * 86_400_000_000;

/// The most entries that stand for what was used where it is not known when.
const EVEN_ENTRIES: u32 = 256;

impl Log {
    /// Returns a log of this many units, evenly over the window that ends at `newest`, and in a bounded
    /// number of entries. No unit leaves the window earlier than it would by itself.
    pub(super) fn even(units: u32, newest: u64, quota: &Quota) -> Self {
        let mut log = Self::default();
        let entries = units.min(EVEN_ENTRIES);
        let (all, window) = (u64::from(units), quota.per_micros());
        let mut logged = 0;
        for n in 1..=u64::from(entries) {
            let until = all * n / u64::from(entries);
            // In the window's own steps first: it is at most some 2^43 microseconds long.
            let before_newest = (all - until) * (window / all);
            let units = u32::try_from(until - logged).unwrap_or(u32::MAX);
            let at = newest.saturating_sub(before_newest);
            log.record(quota, units, at, log.newest());
            logged = until;
        }
        log
    }

    pub(super) fn check(&mut self, quota: &Quota, cost: u32, now: u64) -> Decision {
        let newest = self.newest_until(quota, now);
        let gone = self.gone(quota.per_micros(), now);
        let decision = decide(self.view(gone, newest, quota, cost), quota, cost, now);
        if decision.allowed && cost > 0 {
            self.drop_oldest(gone);
            self.record(quota, cost, now, newest);
        }
        decision
    }

    pub(super) fn peek(&self, quota: &Quota, cost: u32, now: u64) -> Decision {
        let gone = self.gone(quota.per_micros(), now);
        let view = self.view(gone, self.newest(), quota, cost);
        decide(view.no_later_than(now), quota, cost, now)
    }

    pub(super) fn charge(&mut self, quota: &Quota, cost: u32, now: u64) -> Decision {
        let newest = self.newest_until(quota, now);
        let gone = self.gone(quota.per_micros(), now);
        let view = self.view(gone, newest, quota, 0);
        let taken = cost.min(quota.limit().saturating_sub(view.used));
        if taken > 0 {
            self.drop_oldest(gone);
            self.record(quota, taken, now, newest);
        }
        charge(view, quota, cost, now)
    }

    /// Takes out what was logged at `at`, up to `cost` units.
    pub(super) fn refund(&mut self, quota: &Quota, cost: u32, at: u64) {
        let first = self.partition(|entry| entry < at);
        let end = self.partition(|entry| entry <= at);
        let there = self.units_before(end) - self.units_before(first);
        let given = there.min(cost);
        // From the last entry of that instant on: mostly there is one, and it is the newest.
        let (mut kept, mut left) = (end, given);
        while left > 0 {
            let units = self.units(kept - 1);
            if units > left {
                self.take_units(kept - 1, left);
                break;
            }
            left -= units;
            kept -= 1;
        }
        for n in end..self.len {
            let later = self.word(n);
            self.set_word(n - (end - kept), later);
            self.take_units(n - (end - kept), given);
        }
        self.len -= end - kept;
        self.total -= given;
        self.set_expiry(quota);
    }

    /// Returns the instant of the newest entry, which is not after now, or 0 if there is none.
    ///
    /// Entries can only lie in the future because the clock stepped back; they were admitted now.
    #[inline]
    fn newest_until(&mut self, quota: &Quota, now: u64) -> u64 {
        let newest = self.newest();
        if newest > now {
            self.leave_the_future(quota, now);
            return now;
        }
        newest
    }

    #[cold]
    fn leave_the_future(&mut self, quota: &Quota, now: u64) {
        let past = self.partition(|entry| entry <= now);
        let units = self.total - self.units_before(past);
        self.len = past;
        self.total -= units;
        self.set_expiry(quota);
        self.record(quota, units, now, self.newest());
    }

    pub(super) fn move_later(&mut self, micros: u64) {
        if self.len == 0 {
            return;
        }
        let micros = micros.min(u64::MAX - self.expires_at);
        for n in 0..self.len {
            let word = self.word(n);
            self.set_word(n, word.wrapping_add(micros << UNIT_BITS));
        }
        self.expires_at += micros;
    }

    /// The number of units within the window.
    pub(super) fn used(&self, now: u64) -> u64 {
        let window = self.expires_at.saturating_sub(self.newest());
        u64::from(self.total - self.units_before(self.gone(window, now)))
    }

    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// How many entries there are, and how many there is room for.
    #[cfg(test)]
    pub(super) fn entries(&self) -> (usize, usize) {
        (self.len as usize, self.words.len())
    }

    /// How many entries have left a window of so many microseconds.
    #[inline]
    fn gone(&self, window: u64, now: u64) -> u32 {
        let is_gone = |entry: u64| entry.saturating_add(window) <= now;
        if self.len > 0 && is_gone(self.instant(0)) {
            self.partition(is_gone)
        } else {
            0
        }
    }

    /// The log without the `gone` oldest entries, which have left the window.
    #[inline]
    fn view(&self, gone: u32, newest: u64, quota: &Quota, cost: u32) -> View {
        let units_gone = self.units_before(gone);
        let used = self.total - units_gone;
        // To fit in, as many units must go as there are too many, the oldest first.
        let wanted = u64::from(used) + u64::from(cost);
        let excess = wanted.saturating_sub(u64::from(quota.limit()));
        let is_within = excess > 0 && excess <= u64::from(used);
        View {
            used,
            newest,
            blocking: if is_within {
                self.instant_of_unit(u64::from(units_gone) + excess)
            } else {
                0
            },
        }
    }

    /// Returns the instant of the entry that the n-th unit is in, from 1.
    #[inline(never)]
    fn instant_of_unit(&self, unit: u64) -> u64 {
        let (mut first, mut end) = (0, self.len);
        if u64::from(self.total) > UNITS {
            let mut units = 0;
            while first < end && units < unit {
                units += u64::from(self.units(first));
                first += 1;
            }
            return self.instant(first.saturating_sub(1));
        }
        while first < end {
            let middle = first.midpoint(end);
            if u64::from(self.units_before(middle + 1)) < unit {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        self.instant(first)
    }

    fn drop_oldest(&mut self, gone: u32) {
        if gone == 0 {
            return;
        }
        self.total -= self.units_before(gone);
        self.before = self.count(gone - 1);
        self.len -= gone;
        self.head = self.place(gone);
    }

    /// Adds units of now to a log whose newest entry is of this instant.
    #[inline]
    fn record(&mut self, quota: &Quota, cost: u32, now: u64, newest: u64) {
        let mut more = cost;
        if newest == now && self.len > 0 {
            more -= self.add_to_newest(cost);
        }
        self.expires_at = now.saturating_add(quota.per_micros());
        while more > 0 {
            let units = more.min(UNITS_MAX);
            if self.len as usize == self.words.len() {
                self.grow(quota);
            }
            let count = self.before.wrapping_add(self.total).wrapping_add(units) & UNITS_MAX;
            self.set_word(self.len, (now << UNIT_BITS) | u64::from(count));
            self.len += 1;
            self.total += units;
            more -= units;
        }
    }

    /// Adds units to the newest entry, as many as it has room for, and returns how many those are.
    #[cold]
    fn add_to_newest(&mut self, units: u32) -> u32 {
        let last = self.len - 1;
        let units = units.min(UNITS_MAX - self.units(last));
        let word = self.word(last);
        self.set_word(last, with_count(word, u64::from(units)));
        self.total += units;
        units
    }

    /// Makes room in a log that is full, by doubling, but never for more entries than the limit can fill.
    #[cold]
    fn grow(&mut self, quota: &Quota) {
        let mut words = mem::take(&mut self.words).into_vec();
        if self.head > 0 {
            words.rotate_left(self.head as usize);
            self.head = 0;
        }
        let full = words.len();
        let room = (2 * full).min(quota.limit() as usize).max(full + 1);
        words.reserve_exact(room - full);
        words.resize(room, 0);
        self.words = words.into_boxed_slice();
    }

    fn set_expiry(&mut self, quota: &Quota) {
        self.expires_at = match self.len {
            0 => 0,
            _ => self.newest().saturating_add(quota.per_micros()),
        };
    }

    /// Takes this many units from the count of an entry.
    fn take_units(&mut self, n: u32, units: u32) {
        let word = self.word(n);
        self.set_word(
            n,
            with_count(word, (UNITS + 1) - (u64::from(units) & UNITS)),
        );
    }

    /// The first entry that is not `is_before`, as all those are that follow it.
    fn partition(&self, is_before: impl Fn(u64) -> bool) -> u32 {
        let (mut first, mut end) = (0, self.len);
        while first < end {
            let middle = first.midpoint(end);
            if is_before(self.instant(middle)) {
                first = middle + 1;
            } else {
                end = middle;
            }
        }
        first
    }

    /// The units of the entries before the n-th.
    #[inline]
    fn units_before(&self, n: u32) -> u32 {
        if n == 0 {
            0
        } else if n == self.len {
            self.total
        } else if u64::from(self.total) > UNITS {
            (0..n).map(|n| self.units(n)).sum()
        } else {
            difference(self.count(n - 1), self.before)
        }
    }

    /// The units of the n-th entry.
    fn units(&self, n: u32) -> u32 {
        let before = match n.checked_sub(1) {
            Some(previous) => self.count(previous),
            None => self.before,
        };
        difference(self.count(n), before)
    }

    fn count(&self, n: u32) -> u32 {
        (self.word(n) & UNITS) as u32
    }

    /// The instant of the newest entry; 0 if there is none.
    #[inline]
    fn newest(&self) -> u64 {
        match self.len {
            0 => 0,
            len => self.instant(len - 1),
        }
    }

    #[inline]
    fn instant(&self, n: u32) -> u64 {
        self.instant_of(self.word(n))
    }

    #[inline]
    fn instant_of(&self, word: u64) -> u64 {
        let before_expiry = self.expires_at.wrapping_sub(word >> UNIT_BITS) & INSTANTS;
        self.expires_at.wrapping_sub(before_expiry)
    }

    #[inline]
    fn word(&self, n: u32) -> u64 {
        self.words[self.place(n) as usize]
    }

    #[inline]
    fn set_word(&mut self, n: u32, word: u64) {
        let place = self.place(n) as usize;
        self.words[place] = word;
    }

    /// Where the n-th entry is in the ring.
    #[inline]
    fn place(&self, n: u32) -> u32 {
        let place = u64::from(self.head) + u64::from(n);
        let room = self.words.len() as u64;
        let place = if place >= room { place - room } else { place };
        #[expect(clippy::cast_possible_truncation, reason = "less than the limit")]
        let place = place as u32;
        place
    }
}

/// Adds to the count of a word, modulo its bits.
#[inline]
fn with_count(word: u64, more: u64) -> u64 {
    (word & !UNITS) | (word.wrapping_add(more) & UNITS)
}

/// The units between two counts.
#[inline]
fn difference(count: u32, before: u32) -> u32 {
    count.wrapping_sub(before) & UNITS_MAX
}
