//! The fixed window: a count, and the instant at which it ends.
//!
//! A window opens at the client's first request, not on the clock's minute. Otherwise everybody
//! that was turned away would come back in the same instant.

use std::time::Duration;

use super::Decision;
use crate::policy::Quota;

/// A window that is open, or none (`used` is 0).
///
/// Of three words of 32 bits, so that there is room for a fourth beside them that says what it is.
#[repr(Rust, packed(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    closes_at: u64,
    used: u32,
}

impl State {
    /// A window that was opened at `start`, with so much used.
    pub(crate) fn opened(start: u64, used: u32, quota: &Quota) -> Self {
        Self {
            closes_at: start.saturating_add(quota.per_micros()),
            used,
        }
    }

    pub(super) fn move_later(&mut self, micros: u64) {
        self.closes_at = self.closes_at.saturating_add(micros);
    }

    /// What is used of the window that is open.
    pub(super) fn used(self, now: u64) -> u64 {
        let is_open = self.closes_at > now;
        if is_open { u64::from(self.used) } else { 0 }
    }

    pub(super) fn expires_at(self) -> u64 {
        if self.used == 0 { 0 } else { self.closes_at }
    }
}

/// Decides about a request, and takes its cost if it is allowed.
pub(crate) fn check(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let is_open = state.used > 0 && state.closes_at > now;
    let latest = now.saturating_add(quota.per_micros());
    let stored = State {
        // It can only close later because the clock stepped back.
        closes_at: state.closes_at.min(latest),
        ..state
    };
    let (closes_at, used) = if is_open {
        (stored.closes_at, stored.used)
    } else {
        (latest, 0)
    };
    // What was used never exceeds the limit, unless whoever can write to the store wrote it there.
    let left = quota.limit().saturating_sub(used);
    let allowed = cost <= left;
    let used = if allowed { used + cost } else { used };
    let until_close = Duration::from_micros(closes_at - now);
    let decision = Decision {
        allowed,
        remaining: quota.limit().saturating_sub(used),
        retry_after: (!allowed && cost <= quota.limit()).then_some(until_close),
        reset_after: if used == 0 {
            Duration::ZERO
        } else {
            until_close
        },
        at_micros: now,
    };
    let next = if allowed && cost > 0 {
        State { closes_at, used }
    } else {
        stored
    };
    (next, decision)
}

/// Takes the cost, or all there is if that is less.
pub(crate) fn charge(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let (_, look) = check(state, quota, 0, now);
    let (state, decision) = check(state, quota, cost.min(look.remaining), now);
    let allowed = cost <= look.remaining;
    (
        state,
        Decision {
            allowed,
            ..decision
        },
    )
}

/// Gives back what was taken at `at`, if the window that it was taken from is still the last.
pub(super) fn refund(state: State, quota: &Quota, cost: u32, at: u64) -> State {
    if at.saturating_add(quota.per_micros()) < state.closes_at {
        return state;
    }
    State {
        used: state.used.saturating_sub(cost),
        ..state
    }
}
