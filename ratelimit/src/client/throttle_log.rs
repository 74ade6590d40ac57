//! The log lines about addresses that have used up their look-ups of API keys.

use std::sync::PoisonError;

use super::ClientId;
use crate::sync::Mutex;

/// Microseconds between two lines.
const REMINDER: u64 = 60_000_000;

/// Logs one line a minute, whichever address it is about, with the number of API keys that were not
/// looked up since the last.
#[derive(Default)]
pub(super) struct ThrottleLog(Mutex<Option<Throttling>>);

/// Times are those of the limiter's clock.
struct Throttling {
    last_line: u64,
    unlogged: u64,
}

impl ThrottleLog {
    /// An API key from this address was not looked up.
    pub(super) fn log(&self, address: ClientId, now: u64) {
        if let Some(left_out) = self.count(now) {
            tracing::warn!(
                client = %address,
                left_out,
                "too many unknown API keys from one address: until its budget is refilled, new keys from there \
                 are not looked up, and their callers are anonymous; help: if it is a proxy's address, list it \
                 in RateLimiter::builder().trusted_proxies([…]); if one address may have that many keys, raise \
                 .unknown_keys_per_minute(…)"
            );
        }
    }

    /// Returns the number of keys since the last line, if a line is due.
    fn count(&self, now: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            // A clock that was set back is no reason for silence.
            Some(throttling) if now.abs_diff(throttling.last_line) < REMINDER => {
                throttling.unlogged += 1;
                None
            }
            state => {
                let last = state.replace(Throttling {
                    last_line: now,
                    unlogged: 0,
                });
                Some(last.map_or(0, |last| last.unlogged))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_minute() {
        let log = ThrottleLog::default();
        let mut lines = Vec::new();
        for n in 0..1_000 {
            let now = n * 120_000;
            lines.extend(log.count(now).map(|left_out| (now, left_out)));
        }
        assert_eq!(lines, [(0, 0), (60_000_000, 499)]);
        assert_eq!(log.count(0), Some(499), "the clock was set back");
    }
}
