//! When a request is served for which others wait before it: from what they cost, and from one look
//! at the bucket.

use std::time::Duration;

use crate::{
    algorithm::Decision,
    policy::{Algorithm, Quota, TICKS_PER_MICRO},
};

/// What a bucket has to serve until a request has been: those ahead of it, in their order, and the
/// request itself.
pub(super) struct Demand {
    algorithm: Algorithm,
    quota: Quota,
    /// What those up to each request cost together; the last is the one that it is about.
    totals: Vec<u64>,
}

impl Demand {
    pub(super) fn new(algorithm: Algorithm, quota: Quota, ahead: &[u32], cost: u32) -> Self {
        let mut total = 0;
        let costs = ahead.iter().chain([&cost]);
        let totals = costs.map(|&cost| {
            total += u64::from(cost);
            total
        });
        Self {
            algorithm,
            quota,
            totals: totals.collect(),
        }
    }

    fn total(&self) -> u64 {
        self.totals.last().copied().unwrap_or(0)
    }

    fn capacity(&self) -> u64 {
        self.algorithm.capacity(&self.quota).into()
    }

    /// Returns the cost that the bucket is to be looked at with for [`served_after`]: as much of the
    /// whole as it can hold.
    ///
    /// [`served_after`]: Self::served_after
    pub(super) fn look_cost(&self) -> u32 {
        let cost = match self.algorithm {
            Algorithm::TokenBucket | Algorithm::FixedWindow => self.total().min(self.capacity()),
            Algorithm::SlidingWindow => self.sliding().0,
        };
        // No capacity is larger than a u32.
        u32::try_from(cost).unwrap_or(u32::MAX)
    }

    /// Returns how long it takes until the request is served, by the decision about a request of
    /// the [`look_cost`](Self::look_cost).
    pub(super) fn served_after(&self, look: &Decision) -> Duration {
        let look_after = if look.allowed {
            Duration::ZERO
        } else {
            // Without a time it would be more than a bucket that is leased can hold.
            look.retry_after.unwrap_or(look.reset_after)
        };
        let later = match self.algorithm {
            Algorithm::TokenBucket => {
                let rest = self.total() - self.total().min(self.capacity());
                let ticks = u128::from(rest) * u128::from(self.quota.interval_ticks());
                let micros = ticks.div_ceil(TICKS_PER_MICRO.into());
                Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
            }
            Algorithm::SlidingWindow => self.windows(self.sliding().1),
            Algorithm::FixedWindow => return self.served_in_window_after(look, look_after),
        };
        look_after.saturating_add(later)
    }

    /// The sliding window is looked at for the last request that fits in with the entries that there
    /// are now. Each request after it is admitted one window after an earlier one, whose entries
    /// make room for it.
    ///
    /// Returns what those up to that request cost, and how many windows later the last one follows.
    fn sliding(&self) -> (u64, u32) {
        let capacity = self.capacity();
        let (mut total, mut windows) = (self.total(), 0);
        while total > capacity {
            // The first whose entries, and all before, have gone when there is room.
            let gone = total - capacity;
            let at = self.totals.partition_point(|&before| before < gone);
            match self.totals.get(at) {
                Some(&before) if before < total => total = before,
                // It costs more than the limit by itself.
                _ => return (capacity, windows),
            }
            windows += 1;
        }
        (total, windows)
    }

    /// In the fixed window that is open, as many are served as fit in, in their order, and then as
    /// many in the next one.
    fn served_in_window_after(&self, look: &Decision, closes_after: Duration) -> Duration {
        if look.allowed && self.total() <= self.capacity() {
            return Duration::ZERO;
        }
        let (mut room, closes_after) = if look.allowed {
            // Nothing is used: the first of them opens a window.
            (self.capacity(), self.quota.per())
        } else {
            (u64::from(look.remaining), closes_after)
        };
        let mut later = 0;
        let mut before = 0;
        for &total in &self.totals {
            let cost = total - before;
            before = total;
            if cost > room {
                room = self.capacity();
                later += 1;
            }
            room = room.saturating_sub(cost);
        }
        match later {
            0 => Duration::ZERO,
            windows => closes_after.saturating_add(self.windows(windows - 1)),
        }
    }

    fn windows(&self, windows: u32) -> Duration {
        self.quota.per().saturating_mul(windows)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::algorithm::State;

    const ALGORITHMS: [Algorithm; 3] = [
        Algorithm::TokenBucket,
        Algorithm::SlidingWindow,
        Algorithm::FixedWindow,
    ];

    fn micros(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).expect("short")
    }

    proptest! {
        /// Serves the requests one after the other, as soon as each is allowed.
        #[test]
        fn it_is_when_the_last_is_served_if_each_is_as_soon_as_it_can_be(
            algorithm in 0..3_usize,
            limit in 1..12_u32,
            burst in 1..12_u32,
            per in 1..2_000_u64,
            before in vec((1..12_u32, 0..1_000_u64), 0..12),
            ahead in vec(1..12_u32, 0..12),
            cost in 1..12_u32,
        ) {
            let algorithm = ALGORITHMS[algorithm];
            let per = Duration::from_micros(per.max(limit.into()));
            let quota = Quota::new(limit, per).with_burst(burst);
            let capacity = algorithm.capacity(&quota);
            let mut state = State::new(algorithm);
            let mut now = 1_000_000;
            for (cost, later) in before {
                now += later;
                state.check(&quota, cost, now);
            }
            let ahead: Vec<u32> = ahead.into_iter().map(|cost| cost.min(capacity)).collect();
            let cost = cost.min(capacity);
            let demand = Demand::new(algorithm, quota, &ahead, cost);
            let look = state.peek(&quota, demand.look_cost(), now);
            let expected = demand.served_after(&look);

            let began = now;
            for cost in ahead.into_iter().chain([cost]) {
                let decision = state.check(&quota, cost, now);
                if !decision.allowed {
                    now += micros(decision.retry_after.expect("it fits in"));
                    prop_assert!(state.check(&quota, cost, now).allowed);
                }
            }
            let (expected, served) = (micros(expected), now - began);
            if algorithm == Algorithm::TokenBucket {
                // Each time is rounded up to a microsecond: here once, there for each request.
                prop_assert!(served <= expected + 14 && expected <= served + 2, "{expected} {served}");
            } else {
                prop_assert_eq!(expected, served);
            }
        }
    }

    #[test]
    fn no_demand_is_too_large() {
        for algorithm in ALGORITHMS {
            let quota = Quota::new(u32::MAX, Duration::from_secs(366 * 86_400));
            let demand = Demand::new(algorithm, quota, &[u32::MAX; 100], u32::MAX);
            let look = State::new(algorithm).peek(&quota, demand.look_cost(), 0);
            assert!(demand.served_after(&look) >= quota.per());
        }
    }
}
