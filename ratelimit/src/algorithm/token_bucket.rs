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
}

pub(crate) fn decide(state: State, quota: &Quota, cost: u32, now: u64) -> (State, Decision) {
    let now = now.saturating_mul(TICKS_PER_MICRO);
    let capacity = quota.capacity_ticks();
    // Further than a whole bucket from full it can only be because the clock stepped back.
    let state = State {
        full_at: state.full_at.min(now.saturating_add(capacity)),
    };
    let missing = state.full_at.saturating_sub(now);

    if cost > quota.burst() {
        return (state, answer(false, None, quota, missing));
    }
    let taken = u64::from(cost) * quota.interval_ticks();
    if missing + taken > capacity {
        let retry_after = Some(micros(missing + taken - capacity));
        return (state, answer(false, retry_after, quota, missing));
    }
    let missing = missing + taken;
    let state = if cost == 0 {
        state
    } else {
        State {
            full_at: now.saturating_add(missing),
        }
    };
    (state, answer(true, None, quota, missing))
}

fn answer(allowed: bool, retry_after: Option<Duration>, quota: &Quota, missing: u64) -> Decision {
    let tokens = (quota.capacity_ticks() - missing) / quota.interval_ticks();
    Decision {
        allowed,
        // At most the burst, which is a u32.
        remaining: u32::try_from(tokens).unwrap_or(u32::MAX),
        retry_after,
        reset_after: micros(missing),
    }
}

/// Rounded up: a microsecond early would be too early.
fn micros(ticks: u64) -> Duration {
    Duration::from_micros(ticks.div_ceil(TICKS_PER_MICRO))
}
