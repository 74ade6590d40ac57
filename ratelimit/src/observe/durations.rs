//! How long checks take, as histograms (Gil Tene's HDR histogram): of this second, and of the last
//! minute in slots of five seconds.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::index;

/// In nanoseconds, from 1 to 10 s, to two digits: 14 KB.
type Times = Histogram<u32>;

/// Seconds in a slot.
const SLOT: u64 = 5;

/// A minute's, and the one that is being filled.
const SLOTS: usize = 12;

/// How long half of the checks took at the most, and 99 of 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// The median.
    pub p50: Duration,
    /// The 99th percentile.
    pub p99: Duration,
}

impl Latency {
    pub(crate) fn new(p50: Duration, p99: Duration) -> Self {
        Self { p50, p99 }
    }

    fn of(times: &Times) -> Option<Self> {
        let at = |quantile| Duration::from_nanos(times.value_at_quantile(quantile));
        (!times.is_empty()).then(|| Self::new(at(0.5), at(0.99)))
    }
}

pub(super) struct Durations {
    second: Times,
    slots: [Times; SLOTS],
    /// The slot of the last second, counted from the beginning of time.
    slot: u64,
    /// Reused for the sum of a minute.
    sum: Times,
    /// What the fleet has not been told yet.
    untold: Times,
}

impl Durations {
    pub(super) fn new() -> Self {
        Self {
            second: times(),
            slots: std::array::from_fn(|_| times()),
            slot: 0,
            sum: times(),
            untold: times(),
        }
    }

    pub(super) fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.second.saturating_record(nanos);
    }

    #[cfg(feature = "metrics")]
    pub(super) fn of_this_second(&self) -> &Times {
        &self.second
    }

    /// A second is over: what its checks took.
    pub(super) fn turn(&mut self, now: u64) -> Option<Latency> {
        let slot = now / SLOT;
        // Those that nobody has ticked through are empty.
        let skipped = slot.saturating_sub(self.slot).min(SLOTS as u64);
        for old in 0..skipped {
            self.slots[index(slot - old, SLOTS)].reset();
        }
        self.slot = slot;
        let latency = Latency::of(&self.second);
        add(&mut self.slots[index(slot, SLOTS)], &self.second);
        add(&mut self.untold, &self.second);
        self.second.reset();
        latency
    }

    pub(super) fn last_minute(&mut self) -> Option<Latency> {
        self.sum.reset();
        add(&mut self.sum, &self.second);
        for slot in &self.slots {
            add(&mut self.sum, slot);
        }
        Latency::of(&self.sum)
    }

    /// Microseconds and how many checks took so long, since the last time this was asked.
    pub(super) fn take_untold(&mut self) -> Vec<(u64, u64)> {
        let recorded = self.untold.iter_recorded();
        let untold = recorded.map(|step| {
            let micros = step.value_iterated_to().div_ceil(1000);
            (micros, u64::from(step.count_at_value()))
        });
        let untold = untold.collect();
        self.untold.reset();
        untold
    }
}

fn times() -> Times {
    Times::new_with_bounds(1, 10_000_000_000, 2).expect("bounds that a histogram can have")
}

fn add(sum: &mut Times, more: &Times) {
    sum.add(more).expect("their bounds are the same");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(n: u64) -> Duration {
        Duration::from_micros(n)
    }

    /// To two digits.
    fn is_about(time: Duration, expected: Duration) -> bool {
        time.abs_diff(expected) <= expected / 100
    }

    #[test]
    fn percentiles_are_of_the_last_minute() {
        let mut durations = Durations::new();
        assert_eq!(durations.last_minute(), None);
        for n in 1..=1000 {
            durations.add(micros(n));
        }
        let latency = durations.last_minute().expect("there were checks");
        assert!(is_about(latency.p50, micros(500)), "{latency:?}");
        assert!(is_about(latency.p99, micros(990)), "{latency:?}");

        let of_the_second = durations.turn(1_000_000).expect("there were checks");
        assert_eq!(of_the_second, latency);
        assert_eq!(durations.turn(1_000_001), None, "a second without any");
        durations.add(micros(7));
        durations.turn(1_000_054);
        assert!(
            durations
                .last_minute()
                .is_some_and(|all| all.p50 > micros(400))
        );
        durations.turn(1_000_061);
        let rest = durations.last_minute().expect("one is left");
        assert!(is_about(rest.p99, micros(7)), "{rest:?}");
        durations.turn(1_000_500);
        assert_eq!(durations.last_minute(), None);
    }

    #[test]
    fn what_takes_for_ever_counts_as_the_longest() {
        let mut durations = Durations::new();
        durations.add(Duration::from_secs(3600));
        durations.add(Duration::ZERO);
        let latency = durations.last_minute().expect("there were checks");
        assert!(latency.p99 >= Duration::from_secs(10), "{latency:?}");
    }
}
