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
                #[cfg(feature = "metrics")]
                metrics::counter!(
                    "ratelimit_shadow_limited_total",
                    "policy" => account.policy.name(),
                    "tier" => account.tier.name(),
                )
                .increment(1);
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

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use http::Request;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use crate::{
        limiter::{Caller, RateLimiter},
        policy::{Algorithm, Policy, Quota, Tier},
    };

    #[test]
    fn each_request_that_would_have_been_turned_away_is_counted() {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_hour(2))];
        static POLICY: Policy =
            Policy::new("tried out", Algorithm::FixedWindow, &TIERS).with_shadow();
        let recorder = DebuggingRecorder::new();
        let counted = recorder.snapshotter();
        let limiter = RateLimiter::default();
        let (parts, ()) = Request::new(()).into_parts();
        metrics::with_local_recorder(&recorder, || {
            for _ in 0..5 {
                let status = limiter.check_at_once(&[&POLICY], Caller::new(&parts));
                assert!(status.is_some_and(|status| status.is_allowed()));
            }
        });
        let all = counted.snapshot().into_vec();
        let [(key, _, _, DebugValue::Counter(3))] = all.as_slice() else {
            panic!("{all:?}");
        };
        let key = key.key();
        assert_eq!(key.name(), "ratelimit_shadow_limited_total");
        let labels: Vec<_> = key
            .labels()
            .map(|label| (label.key(), label.value()))
            .collect();
        assert_eq!(labels, [("policy", "tried out"), ("tier", "free")]);
    }
}
