//! A line of the log for what may happen a million times a second.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::{Clock, MonotonicClock, micros},
    sync::atomic::{AtomicU64, Ordering},
};

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(1);

/// The difference up to which two readings of a clock can be of two cores; see [`Clock`].
const SKEW_MAX: Duration = Duration::from_secs(2);

/// The time of the last line, before there was one.
const NEVER: u64 = u64::MAX;

/// At most one line a second, with the count of what was left out since the last.
///
/// The time is that of one clock. That of decisions is not: some are of Redis, some of this process,
/// and some of the time before a request waited, and a throttle that is given all of them sees a second
/// pass at each.
pub(crate) struct LogThrottle {
    clock: Arc<dyn Clock>,
    said_at: AtomicU64,
    left_out: AtomicU64,
}

impl LogThrottle {
    /// Creates a throttle that counts in the time of this clock.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            said_at: AtomicU64::new(NEVER),
            left_out: AtomicU64::new(0),
        }
    }

    /// Logs a line, with how many were left out, or leaves it out.
    pub(crate) fn log(&self, line: impl FnOnce(u64)) {
        if let Some(left_out) = self.next_line(self.clock.now_micros()) {
            line(left_out);
        }
    }

    /// Returns how many lines were left out if one is due, and else counts one more.
    fn next_line(&self, now: u64) -> Option<u64> {
        let said_at = self.said_at.load(Ordering::Relaxed);
        let begins_pause = || {
            self.said_at
                .compare_exchange(said_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        let is_due = said_at == NEVER || now.saturating_sub(said_at) >= micros(PAUSE);
        if is_due && begins_pause() {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        if !is_due && said_at.saturating_sub(now) > micros(SKEW_MAX) {
            // The clock was set back, and would take long to get there again.
            begins_pause();
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for LogThrottle {
    /// Creates a throttle that counts in the time of the machine's monotonic clock.
    fn default() -> Self {
        Self::new(Arc::new(MonotonicClock::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn one_line_a_second_and_the_count_of_the_rest() {
        let clock = ManualClock::at(Duration::ZERO);
        let log = LogThrottle::new(Arc::new(clock.clone()));
        let mut lines = Vec::new();
        for milli in 0..3_000_u64 {
            clock.set(Duration::from_millis(milli));
            log.log(|left_out| lines.push((milli, left_out)));
        }
        assert_eq!(lines, [(0, 0), (1_000, 999), (2_000, 999)]);
    }

    #[test]
    fn a_clock_that_runs_backwards_is_no_line() {
        let log = LogThrottle::default();
        let second = micros(PAUSE);
        let start = 100 * second;
        assert_eq!(log.next_line(start), Some(0));
        // Two cores whose counters differ.
        for n in 1..=1_000 {
            let reading = start + n - if n % 2 == 0 { 3 * second / 2 } else { 0 };
            assert_eq!(log.next_line(reading), None, "{n}");
        }
        assert_eq!(log.next_line(start + second), Some(1_000));
        // A clock that is set back.
        assert_eq!(log.next_line(second), None);
        assert_eq!(log.next_line(2 * second - 1), None);
        assert_eq!(log.next_line(2 * second), Some(2));
    }
}

#[cfg(all(test, shuttle))]
mod models {
    use shuttle::thread;

    use super::*;
    use crate::sync::in_many_orders;

    #[test]
    fn each_is_said_or_counted_once() {
        in_many_orders(|| {
            let log = Arc::new(LogThrottle::default());
            let counted = Arc::new(AtomicU64::new(0));
            let say = |second: u64| {
                let (log, counted) = (log.clone(), counted.clone());
                move || {
                    if let Some(left_out) = log.next_line(second * micros(PAUSE)) {
                        counted.fetch_add(1 + left_out, Ordering::SeqCst);
                    }
                }
            };
            let threads = [1, 1, 2].map(|second| thread::spawn(say(second)));
            for thread in threads {
                thread.join().expect("no panic");
            }
            say(4)();
            assert_eq!(counted.load(Ordering::SeqCst), 4);
        });
    }
}
