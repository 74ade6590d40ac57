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
/// - A reading that has caught up is the time again, so that a clock that jumps back and forth does not
///   make time pass by that.
#[derive(Default)]
pub(super) struct Timeline {
    latest: u64,
    /// Microseconds that the clock has been set back by.
    ahead: u64,
}

impl Timeline {
    /// Advances to a reading, if the clock has not run backwards. Returns whether it has advanced.
    #[inline]
    pub(super) fn try_advance(&mut self, reading: u64) -> bool {
        if self.ahead != 0 || reading < self.latest {
            return false;
        }
        self.latest = reading;
        true
    }

    /// Advances as far as a reading says, and returns the time.
    pub(super) fn advance(&mut self, reading: u64) -> u64 {
        let settled = self.latest.saturating_sub(micros(SKEW_MAX));
        if reading >= settled {
            self.ahead = 0;
        } else if reading.saturating_add(self.ahead) < settled {
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
