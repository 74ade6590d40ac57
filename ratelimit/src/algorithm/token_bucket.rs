//! The token bucket, kept as one number: the generic cell rate algorithm (GCRA).
//!
//! Instead of a count of tokens and the time it was last refilled, a bucket is the *theoretical
//! arrival time* (TAT) at which it will be full again. A request moves it forward by one interval
//! per token; it is admitted if the bucket is then not further from full than it is deep. This is
//! the virtual scheduling form of ITU-T I.371 (Annex A), with the TAT counted from the full bucket.

use std::time::Duration;

use super::Decision;
use crate::policy::{Quota, TICKS_PER_MICRO};

/// The instant at which the bucket is full again, in ticks; in the past for a full bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) full_at: u64,
}

impl State {
    pub(super) fn expires_at(self) -> u64 {
        self.full_at.div_ceil(TICKS_PER_MICRO)
    }

    pub(super) fn move_later(&mut self, micros: u64) {
        let ticks = micros.saturating_mul(TICKS_PER_MICRO);
        self.full_at = self.full_at.saturating_add(ticks);
    }

    /// The ticks that are missing from a full bucket.
    pub(super) fn missing(self, now: u64) -> u64 {
        self.full_at
            .saturating_sub(now.saturating_mul(TICKS_PER_MICRO))
    }
}

/// Decides about a request, and takes its cost if it is allowed.
pub(crate) fn check(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let Level { missing, capacity } = Level::of(state, quota, now);
    let taken = ticks(cost, quota);
    let allowed = missing + taken <= capacity;
    let left_missing = if allowed { missing + taken } else { missing };
    let decision = Decision {
        allowed,
        retry_after: (!allowed && cost <= quota.burst())
            .then(|| micros(missing + taken - capacity)),
        ..look(left_missing, quota, now)
    };
    let took = allowed && cost > 0;
    (state.at(left_missing, took, quota, now), decision)
}

/// Takes the cost, or all there is if that is less.
pub(crate) fn charge(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let Level { missing, capacity } = Level::of(state, quota, now);
    let taken = ticks(cost, quota);
    let left_missing = (missing + taken).min(capacity);
    let decision = Decision {
        allowed: missing + taken <= capacity,
        ..look(left_missing, quota, now)
    };
    (state.at(left_missing, cost > 0, quota, now), decision)
}

/// Gives back what was taken at `at`, less what the bucket has earned since.
///
/// Had nothing been taken, a bucket that was full would have stayed full, and earned nothing: to
/// give back more would be to give more than the rate.
pub(crate) fn refund(state: State, quota: &Quota, cost: u32, at: u64, now: u64) -> State {
    let earned = now.saturating_sub(at).saturating_mul(TICKS_PER_MICRO);
    let credit = ticks(cost, quota).saturating_sub(earned);
    let Level { missing, .. } = Level::of(state, quota, now);
    if missing == 0 || credit == 0 {
        return state;
    }
    state.at(missing.saturating_sub(credit), true, quota, now)
}

/// How full a bucket is, in ticks.
struct Level {
    missing: u64,
    capacity: u64,
}

impl Level {
    fn of(state: State, quota: &Quota, now: u64) -> Self {
        let capacity = quota.capacity_ticks();
        Self {
            // More than all of it is only missing because the clock stepped back.
            missing: state.missing(now).min(capacity),
            capacity,
        }
    }
}

impl State {
    /// The bucket with so much missing, if that is a change. (A full one does not change with time,
    /// and one that the clock has left in the future is moved to the present.)
    fn at(self, missing: u64, changed: bool, quota: &Quota, now: u64) -> Self {
        let now = now.saturating_mul(TICKS_PER_MICRO);
        let full_at = if changed {
            now.saturating_add(missing)
        } else {
            self.full_at.min(now.saturating_add(quota.capacity_ticks()))
        };
        Self { full_at }
    }
}

/// A cost in ticks. What is more than the burst is as impossible as anything above it.
pub(crate) fn ticks(cost: u32, quota: &Quota) -> u64 {
    u64::from(cost).min(u64::from(quota.burst()) + 1) * quota.interval_ticks()
}

fn look(missing: u64, quota: &Quota, now: u64) -> Decision {
    let tokens = quota.tokens(quota.capacity_ticks() - missing);
    Decision {
        allowed: true,
        // At most the burst, which is a u32.
        remaining: u32::try_from(tokens).unwrap_or(u32::MAX),
        retry_after: None,
        reset_after: micros(missing),
        at_micros: now,
    }
}

/// Rounded up: a microsecond early would be too early.
fn micros(ticks: u64) -> Duration {
    Duration::from_micros(ticks.div_ceil(TICKS_PER_MICRO))
}
