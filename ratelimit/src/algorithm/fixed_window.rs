//! The fixed window: a count, and the instant at which it began.
//!
//! A window opens at the client's first request, not on the clock's minute. Otherwise everybody
//! that was turned away would come back in the same instant.

use std::time::Duration;

use super::Decision;
use crate::policy::Quota;

/// A window that is open, or none (`used` is 0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) start: u64,
    pub(crate) used: u32,
}

impl State {
    pub(super) fn expires_at(self, quota: &Quota) -> u64 {
        if self.used == 0 {
            0
        } else {
            self.start.saturating_add(quota.per_micros())
        }
    }
}

pub(crate) fn decide(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let is_open = state.used > 0 && state.start.saturating_add(quota.per_micros()) > now;
    let stored = State {
        // It can only begin in the future because the clock stepped back.
        start: state.start.min(now),
        ..state
    };
    let (start, used) = if is_open {
        (stored.start, stored.used)
    } else {
        (now, 0)
    };
    // What was used never exceeds the limit, unless whoever can write to the store wrote it there.
    let left = quota.limit().saturating_sub(used);
    let allowed = cost <= left;
    let used = if allowed { used + cost } else { used };
    let until_close = Duration::from_micros(start.saturating_add(quota.per_micros()) - now);
    let decision = Decision {
        allowed,
        remaining: quota.limit().saturating_sub(used),
        retry_after: (!allowed && cost <= quota.limit()).then_some(until_close),
        reset_after: if used == 0 {
            Duration::ZERO
        } else {
            until_close
        },
    };
    let next = if allowed && cost > 0 {
        State { start, used }
    } else {
        stored
    };
    (next, decision)
}
