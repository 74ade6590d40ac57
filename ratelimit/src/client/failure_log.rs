//! The log lines about look-ups of tiers that fail.

use std::sync::PoisonError;

use super::ResolveError;
use crate::sync::Mutex;

/// Microseconds between two lines while look-ups keep failing.
const REMINDER: u64 = 60_000_000;

/// Microseconds without a failure after which a success means that the failures are over. A resolver
/// that fails for some keys only would otherwise log two lines for each of them.
const QUIET: u64 = 10_000_000;

/// Logs when look-ups begin to fail, once a minute while they do, and when that ends: not once for
/// each request.
#[derive(Default)]
pub(super) struct FailureLog(Mutex<Option<Failing>>);

/// Look-ups that fail, some of them or all. Times are those of the limiter's clock.
struct Failing {
    last_failure: u64,
    last_line: u64,
    /// Failures since the last line.
    unlogged: u64,
}

impl FailureLog {
    /// A look-up failed.
    pub(super) fn failed(&self, error: &ResolveError, now: u64) {
        if let Some(failures) = self.count(now) {
            tracing::warn!(
                failures,
                error = error.to_string(),
                "API keys keep the tier that they had, and new keys are anonymous"
            );
        }
    }

    /// A look-up succeeded.
    pub(super) fn succeeded(&self, now: u64) {
        if let Some(unlogged) = self.end(now) {
            tracing::info!(
                failures = unlogged,
                "the tiers of API keys can be looked up again"
            );
        }
    }

    /// Returns the number of failures to log, if a line is due.
    fn count(&self, now: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(failing) = &mut *state else {
            *state = Some(Failing {
                last_failure: now,
                last_line: now,
                unlogged: 0,
            });
            return Some(1);
        };
        failing.last_failure = now;
        failing.unlogged += 1;
        if now.saturating_sub(failing.last_line) < REMINDER {
            return None;
        }
        failing.last_line = now;
        Some(std::mem::take(&mut failing.unlogged))
    }

    /// Returns the number of failures since the last line, if this success ends them.
    fn end(&self, now: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |failing: &mut Failing| now.saturating_sub(failing.last_failure) >= QUIET;
        state.take_if(is_over).map(|failing| failing.unlogged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_among_successes_are_one_line_a_minute() {
        let log = FailureLog::default();
        let mut lines = Vec::new();
        for n in 0..1_000 {
            let now = n * 120_000;
            lines.extend(log.count(now).map(|failures| (now, failures)));
            assert_eq!(log.end(now + 60_000), None);
        }
        assert_eq!(lines, [(0, 1), (60_000_000, 500)]);
    }

    #[test]
    fn the_end_is_logged_once_and_the_next_beginning_at_once() {
        let log = FailureLog::default();
        assert_eq!(log.end(0), None, "nothing has failed");
        assert_eq!(log.count(5), Some(1));
        assert_eq!(log.count(6), None);
        assert_eq!(log.end(6 + QUIET - 1), None);
        assert_eq!(log.end(6 + QUIET), Some(1));
        assert_eq!(log.end(6 + 2 * QUIET), None);
        assert_eq!(log.count(7 + 2 * QUIET), Some(1));
    }
}
