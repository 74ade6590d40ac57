//! A cached rejection, and for how long it rejects which costs.

use crate::{
    algorithm::Decision,
    clock::micros,
    policy::{Algorithm, TICKS_PER_MICRO},
    store::{Bucket, Charge},
};

/// A rejection that holds for other costs as well: for as long as only time passes, or more is taken,
/// what does not fit in keeps out whatever costs more.
#[derive(Clone, Copy)]
pub(super) struct Rejection {
    asked_at: u64,
    /// The lowest cost of which it is certain that it does not fit in until then.
    pub(super) cost: u32,
    until: u64,
    /// What was left.
    remaining: u32,
}

/// No cost of this bucket ever fits in.
pub(super) const NEVER: u64 = u64::MAX;

impl Rejection {
    pub(super) fn of(charge: &Charge, decision: &Decision, asked_at: u64) -> Option<Self> {
        if decision.allowed {
            return None;
        }
        let Decision {
            remaining,
            retry_after,
            ..
        } = *decision;
        let until = retry_after.map_or(NEVER, |time| asked_at.saturating_add(micros(time)));
        let cost = match charge.bucket.algorithm() {
            // There is no more of it until it closes.
            Algorithm::FixedWindow if until != NEVER => {
                charge.cost.min(remaining.saturating_add(1))
            }
            _ => charge.cost,
        };
        Some(Self {
            asked_at,
            cost,
            until,
            remaining,
        })
    }

    /// Whether it is to be kept when there is a new answer: the lower the cost, the more it rejects.
    pub(super) fn says_more(&self, new: Option<&Self>, now: u64, ttl: u64) -> bool {
        self.is_fresh(now, ttl) && now < self.until && new.is_none_or(|new| self.cost < new.cost)
    }

    pub(super) fn is_fresh(&self, now: u64, ttl: u64) -> bool {
        let passed = now.checked_sub(self.asked_at);
        passed.is_some_and(|passed| passed < ttl)
    }

    /// Returns until when a cost is rejected, at least; `None` if it may be allowed now.
    ///
    /// For a token bucket and a fixed window, and for the cost that was rejected, it is the instant
    /// itself. For a higher cost under a sliding window it may be later than that.
    pub(super) fn until(&self, bucket: &Bucket, cost: u32, now: u64, ttl: u64) -> Option<u64> {
        if !self.is_fresh(now, ttl) {
            return None;
        }
        let interval = match bucket.algorithm() {
            Algorithm::TokenBucket => u128::from(bucket.quota().interval_ticks()),
            Algorithm::SlidingWindow | Algorithm::FixedWindow => 0,
        };
        let ticks = |tokens: u32| u128::from(tokens) * interval;
        if cost >= self.cost {
            // By when its other tokens have come as well.
            let more = ticks(cost - self.cost).div_ceil(u128::from(TICKS_PER_MICRO));
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            return (now < self.until).then(|| self.until.saturating_add(more));
        }
        if interval == 0 {
            return None;
        }
        // A token bucket had less than one more token than it said, and has earned since.
        let had = ticks(self.remaining) + interval;
        let earned = u128::from(now - self.asked_at) * u128::from(TICKS_PER_MICRO);
        let missing = ticks(cost).checked_sub(had + earned)?;
        let at_least = u64::try_from(missing / u128::from(TICKS_PER_MICRO)).ok()?;
        let fewer = ticks(self.cost - cost) / u128::from(TICKS_PER_MICRO);
        let before = u64::try_from(fewer).unwrap_or(u64::MAX);
        let until = match self.until {
            NEVER => 0,
            until => until.saturating_sub(before),
        };
        Some(until.max(now.saturating_add(at_least)).max(now + 1))
    }
}
