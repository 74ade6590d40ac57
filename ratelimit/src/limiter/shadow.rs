//! Says whom the limits in shadow mode would have turned away.

use std::sync::atomic::{AtomicU64, Ordering};

use super::account::Account;
use crate::clock::Clock;

/// Microseconds between two lines of the log.
const PAUSE: u64 = 1_000_000;

/// At most one line a second, however many requests there are, with the count of what was left out.
#[derive(Default)]
pub(super) struct ShadowLog {
    next_at: AtomicU64,
    left_out: AtomicU64,
}

impl ShadowLog {
    pub(super) fn report(&self, accounts: &[Account], clock: &dyn Clock) {
        for account in accounts {
            let decision = account.decision;
            let would_deny = decision.is_some_and(|decision| !decision.allowed);
            if account.policy.is_shadow() && would_deny {
                self.would_have_limited(account, clock);
            }
        }
    }

    fn would_have_limited(&self, account: &Account, clock: &dyn Clock) {
        let now = clock.now_micros();
        let next = self.next_at.load(Ordering::Relaxed);
        let is_due = now >= next
            && self
                .next_at
                .compare_exchange(next, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !is_due {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let client = account.bucket.map(|bucket| bucket.client().to_string());
        tracing::info!(
            policy = account.policy.name(),
            tier = account.tier.name(),
            client,
            left_out = self.left_out.swap(0, Ordering::Relaxed),
            "in shadow mode: this request would have been turned away"
        );
    }
}
