//! The sliding window, exact: a log of when the requests of the last window were admitted.
//!
//! A request is admitted if its cost and that of the requests admitted in `(now − per, now]` are
//! together at most the limit. Only what is admitted is logged: who keeps knocking is let in as
//! soon as the oldest entry leaves the window. One entry of the log is one unit of cost, so that
//! requests that share a microsecond are still as many as they were.

use std::{collections::VecDeque, time::Duration};

use super::Decision;
use crate::policy::Quota;

/// What a decision needs to know of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Entries within the window.
    pub(crate) used: u32,
    /// The newest of them, if there is any.
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

/// Decides about a request; if it is allowed, as many entries as it costs are due in the log.
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

/// Takes the cost, or all there is if that is less: so many entries are due in the log.
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<u64>,
    /// When the newest of them leaves the window.
    expires_at: u64,
}

impl Log {
    /// As many entries, evenly over the window that ends at `newest`.
    pub(super) fn even(entries: u32, newest: u64, quota: &Quota) -> Self {
        let (entries, window) = (u64::from(entries), quota.per_micros());
        // In the window's own steps first: it is at most some 2^43 microseconds long.
        let before_newest = |n: u64| (entries - 1 - n) * (window / entries);
        let mut log = Self {
            entries: (0..entries)
                .map(|n| newest.saturating_sub(before_newest(n)))
                .collect(),
            expires_at: 0,
        };
        log.set_expiry(quota);
        log
    }

    pub(super) fn check(&mut self, quota: &Quota, cost: u32, now: u64) -> Decision {
        self.leave_the_future(quota, now);
        let gone = self.gone(quota.per_micros(), now);
        let decision = decide(self.view(gone, quota, cost), quota, cost, now);
        if decision.allowed && cost > 0 {
            self.entries.drain(..gone);
            self.record(quota, cost, now);
        }
        decision
    }

    pub(super) fn peek(&self, quota: &Quota, cost: u32, now: u64) -> Decision {
        let view = self.view(self.gone(quota.per_micros(), now), quota, cost);
        decide(view.no_later_than(now), quota, cost, now)
    }

    pub(super) fn charge(&mut self, quota: &Quota, cost: u32, now: u64) -> Decision {
        self.leave_the_future(quota, now);
        let gone = self.gone(quota.per_micros(), now);
        let view = self.view(gone, quota, 0);
        let taken = cost.min(quota.limit().saturating_sub(view.used));
        if taken > 0 {
            self.entries.drain(..gone);
            self.record(quota, taken, now);
        }
        charge(view, quota, cost, now)
    }

    /// Takes out what was logged at `at`, up to `cost` entries.
    pub(super) fn refund(&mut self, quota: &Quota, cost: u32, at: u64) {
        let first = self.entries.partition_point(|entry| *entry < at);
        let end = self.entries.partition_point(|entry| *entry <= at);
        let end = end.min(first.saturating_add(cost as usize));
        self.entries.drain(first..end);
        self.set_expiry(quota);
    }

    /// Entries can only lie in the future because the clock stepped back; they were admitted now.
    fn leave_the_future(&mut self, quota: &Quota, now: u64) {
        if self.entries.back().is_none_or(|newest| *newest <= now) {
            return;
        }
        let in_future = |entry: &&mut u64| **entry > now;
        for entry in self.entries.iter_mut().rev().take_while(in_future) {
            *entry = now;
        }
        self.set_expiry(quota);
    }

    pub(super) fn move_later(&mut self, micros: u64) {
        for entry in &mut self.entries {
            *entry = entry.saturating_add(micros);
        }
        self.expires_at = self.expires_at.saturating_add(micros);
    }

    /// The number of entries within the window.
    pub(super) fn used(&self, now: u64) -> u64 {
        let newest = self.entries.back().copied().unwrap_or(0);
        let window = self.expires_at.saturating_sub(newest);
        (self.entries.len() - self.gone(window, now)) as u64
    }

    /// How many entries have left a window of so many microseconds.
    fn gone(&self, window: u64, now: u64) -> usize {
        let is_gone = |entry: &u64| entry.saturating_add(window) <= now;
        match self.entries.front() {
            Some(oldest) if is_gone(oldest) => self.entries.partition_point(is_gone),
            _ => 0,
        }
    }

    pub(super) fn expires_at(&self) -> u64 {
        self.expires_at
    }

    fn set_expiry(&mut self, quota: &Quota) {
        let leaves_at = |newest: &u64| newest.saturating_add(quota.per_micros());
        self.expires_at = self.entries.back().map_or(0, leaves_at);
    }

    /// The log without the `gone` oldest entries, which have left the window.
    fn view(&self, gone: usize, quota: &Quota, cost: u32) -> View {
        let used = self.entries.len() - gone;
        // To fit in, as many entries must go as there are too many, the oldest first.
        let excess = (used + cost as usize).saturating_sub(quota.limit() as usize);
        let blocking = excess
            .checked_sub(1)
            .and_then(|last| self.entries.get(gone + last));
        View {
            // At most the limit, which is a u32.
            used: u32::try_from(used).unwrap_or(u32::MAX),
            newest: self.entries.back().copied().unwrap_or(0),
            blocking: blocking.copied().unwrap_or(0),
        }
    }

    fn record(&mut self, quota: &Quota, cost: u32, now: u64) {
        let (len, cost) = (self.entries.len(), cost as usize);
        if len + cost > self.entries.capacity() {
            // Grown by doubling, but never past what the limit can fill.
            let room = (2 * len).max(len + cost).min(quota.limit() as usize);
            self.entries.reserve_exact(room - len);
        }
        self.entries.extend(std::iter::repeat_n(now, cost));
        self.set_expiry(quota);
    }
}
