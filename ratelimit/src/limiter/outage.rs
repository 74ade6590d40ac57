//! While the store cannot be asked: one request a second finds out whether it can again.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{clock::Clock, store::StoreError};

/// Microseconds between two attempts.
const PAUSE: u64 = 1_000_000;

/// When the store may be asked again; 0 while it answers.
#[derive(Default)]
pub(super) struct Outage {
    ask_again_at: AtomicU64,
}

impl Outage {
    /// Whether this request asks the store: all do while it answers, then one at a time.
    pub(super) fn may_ask(&self, clock: &dyn Clock) -> bool {
        let at = self.ask_again_at.load(Ordering::Relaxed);
        if at == 0 {
            return true;
        }
        let now = clock.now_micros();
        now >= at
            && self
                .ask_again_at
                .compare_exchange(at, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    pub(super) fn began(&self, error: &StoreError, clock: &dyn Clock) {
        let at = clock.now_micros() + PAUSE;
        if self.ask_again_at.swap(at, Ordering::Relaxed) == 0 {
            tracing::error!(
                "{error}; until it does, each process keeps the limits in its own memory"
            );
        }
    }

    pub(super) fn ended(&self) {
        if self.ask_again_at.load(Ordering::Relaxed) != 0
            && self.ask_again_at.swap(0, Ordering::Relaxed) != 0
        {
            tracing::info!("the store of the rate limits answers again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn an_outage_costs_one_attempt_a_second() {
        let clock = ManualClock::new();
        let outage = Outage::default();
        assert!(outage.may_ask(&clock) && outage.may_ask(&clock));

        outage.began(&StoreError::new("gone"), &clock);
        assert!(!outage.may_ask(&clock));
        clock.advance(Duration::from_micros(PAUSE - 1));
        assert!(!outage.may_ask(&clock));
        clock.advance(Duration::from_micros(1));
        assert!(outage.may_ask(&clock), "one finds out");
        assert!(!outage.may_ask(&clock), "and only one");

        outage.ended();
        assert!(outage.may_ask(&clock) && outage.may_ask(&clock));
    }
}
