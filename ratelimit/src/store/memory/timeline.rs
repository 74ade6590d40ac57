//! The time of a shard: a clock's readings, made monotonic.

use std::time::Duration;

use crate::clock::micros;

/// The difference up to which two readings can be of the counters of two cores. A reading that is
/// earlier by more comes from a clock that was set back.
const SKEW_MAX: Duration = Duration::from_secs(2);

/// A time that never runs backwards, though the clock that it is read from may.
///
/// - A reading that is a little earlier than the latest time is of another core. Time stands still
///   until the clock has caught up: the time that passes on one core must not count again on another.
/// - A reading that is far earlier is of a clock that was set back. Time goes on from where it was, as
///   fast as the clock: a client that waits does not wait for the clock to catch up.
#[derive(Default)]
pub(super) struct Timeline {
    latest: u64,
    /// Microseconds that the time is ahead of the clock, because that was set back.
    ahead: u64,
}

impl Timeline {
    /// Advances to a reading and returns the time, unless the clock has run backwards.
    #[inline]
    pub(super) fn try_advance(&mut self, reading: u64) -> Option<u64> {
        let time = reading.saturating_add(self.ahead);
        if time < self.latest {
            return None;
        }
        self.latest = time;
        Some(time)
    }

    /// Advances as far as a reading says, and returns the time.
    pub(super) fn advance(&mut self, reading: u64) -> u64 {
        let settled = self.latest.saturating_sub(micros(SKEW_MAX));
        if reading.saturating_add(self.ahead) < settled {
            self.ahead = self.latest - reading;
        }
        self.advance_to(reading.saturating_add(self.ahead));
        self.latest
    }

    /// Advances to a time of another shard, which has seen more of the clock.
    pub(super) fn advance_to(&mut self, time: u64) {
        self.latest = self.latest.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKEW: u64 = 2_000_000;
    const START: u64 = 1_000_000_000;

    /// A timeline that has seen one reading.
    fn timeline() -> Timeline {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.try_advance(START), Some(START));
        timeline
    }

    #[test]
    fn it_advances_with_a_clock_that_does() {
        let mut timeline = timeline();
        assert_eq!(timeline.try_advance(START), Some(START));
        assert_eq!(timeline.try_advance(START + 5), Some(START + 5));
        assert_eq!(timeline.try_advance(START + 4), None);
        assert_eq!(timeline.advance(START + 7), START + 7);
        assert_eq!(timeline.try_advance(u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn it_stands_still_for_a_core_that_is_behind() {
        for behind in [1, SKEW] {
            let mut timeline = timeline();
            assert_eq!(timeline.advance(START - behind), START);
            assert_eq!(timeline.advance(START - 1), START);
            assert_eq!(timeline.try_advance(START - 1), None);
            assert_eq!(timeline.try_advance(START + 1), Some(START + 1));
        }
    }

    #[test]
    fn it_goes_on_from_where_it_was_if_the_clock_was_set_back() {
        for step in [START - SKEW - 1, START - 2 * SKEW, 0] {
            let mut timeline = timeline();
            assert_eq!(timeline.advance(step), START);
            assert_eq!(timeline.advance(step + 1), START + 1);
            assert_eq!(timeline.try_advance(step + 10), Some(START + 10));
            // Another core is behind here, too.
            assert_eq!(timeline.try_advance(step + 9), None);
            assert_eq!(
                timeline.advance((step + 10).saturating_sub(SKEW)),
                START + 10
            );
            assert_eq!(timeline.try_advance(step + 11), Some(START + 11));
            // However far the clock goes from there, and past where it has been.
            let far = step + 1_000 * SKEW;
            assert_eq!(timeline.try_advance(far), Some(START + 1_000 * SKEW));
        }
    }

    #[test]
    fn each_of_several_steps_is_one() {
        let mut timeline = timeline();
        assert_eq!(timeline.advance(START / 2), START);
        assert_eq!(timeline.advance(START / 4), START);
        assert_eq!(timeline.advance(START / 4 + 1), START + 1);
        assert_eq!(timeline.advance(START / 2), START + START / 4);
    }

    #[test]
    fn it_goes_along_with_another_shard() {
        let mut timeline = timeline();
        timeline.advance_to(START - 1);
        assert_eq!(timeline.try_advance(START), Some(START));
        timeline.advance_to(START + 9);
        assert_eq!(timeline.try_advance(START + 8), None);
        assert_eq!(timeline.advance(START + 8), START + 9);
    }
}
