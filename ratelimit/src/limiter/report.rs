//! Says what was decided: to the observer, which counts it, and to the log.

use std::sync::Arc;

use super::{
    RateLimiter,
    account::{Account, Accounts, Exemption, Verdict},
};
use crate::{client::ClientDigests, clock::Clock, log_throttle::LogThrottle, observe::Outcome};

/// What the log says of requests, at most once a second of each kind.
pub(super) struct Reports {
    limited: LogThrottle,
    shadow: LogThrottle,
}

impl RateLimiter {
    pub(super) fn report(&self, accounts: &Accounts, verdict: Verdict) {
        let observer = &self.0.watch.observer;
        for account in accounts.iter() {
            let Some(outcome) = outcome(account, verdict) else {
                continue;
            };
            observer.count(account.policy, account.tier, outcome);
            if outcome == Outcome::Shadow {
                self.0.reports.would_have_limited(account, &self.0.digests);
            }
        }
        if verdict == Verdict::Limited {
            let account = accounts.tightest();
            if let Some(client) = account.client {
                observer.turned_away(client);
            }
            self.0.reports.limited(account, &self.0.digests);
        }
    }
}

/// `None` where another policy turned the request away: it is counted there, and here nothing came
/// of it.
fn outcome(account: &Account, verdict: Verdict) -> Option<Outcome> {
    match (account.exemption, account.client, account.decision) {
        (Some(Exemption::Exempt), _, _) => Some(Outcome::Exempt),
        (Some(Exemption::Bypass), _, _) => Some(Outcome::Bypassed),
        (None, None, _) => (verdict == Verdict::Admitted).then_some(Outcome::Allowed),
        (None, Some(_), None) => Some(Outcome::StoreError),
        (None, Some(_), Some(decision)) if decision.allowed => {
            (verdict == Verdict::Admitted).then_some(Outcome::Allowed)
        }
        (None, Some(_), Some(_)) if account.policy.is_shadow() => Some(Outcome::Shadow),
        (None, Some(_), Some(_)) => Some(Outcome::Limited),
    }
}

impl Reports {
    /// Creates reports that are throttled by this clock.
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            limited: LogThrottle::new(clock.clone()),
            shadow: LogThrottle::new(clock.clone()),
        }
    }

    fn limited(&self, account: &Account, digests: &ClientDigests) {
        let Some(decision) = account.decision else {
            return;
        };
        self.limited.log(|left_out| {
            let client = account.client.map(|client| digests.name(client));
            tracing::info!(
                target: "ratelimit::limited",
                policy = account.policy.name(),
                tier = account.tier.name(),
                client,
                retry_after = decision.retry_after.map(|time| time.as_secs_f64()),
                left_out,
                "a request was turned away"
            );
        });
    }

    fn would_have_limited(&self, account: &Account, digests: &ClientDigests) {
        self.shadow.log(|left_out| {
            let client = account.client.map(|client| digests.name(client));
            tracing::info!(
                policy = account.policy.name(),
                tier = account.tier.name(),
                client,
                left_out,
                "in shadow mode: this request would have been turned away"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use crate::{
        limiter::{Caller, RateLimiter},
        observe::Totals,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_hour(2))];

    fn totals_after_five(policies: &[&'static Policy]) -> Vec<(&'static str, Totals)> {
        let limiter = RateLimiter::default();
        let (parts, ()) = Request::new(()).into_parts();
        for _ in 0..5 {
            limiter.check_at_once(policies.iter().copied(), Caller::new(&parts));
        }
        limiter.totals()
    }

    #[test]
    fn a_request_is_counted_under_each_policy_by_what_became_of_it_there() {
        static ENFORCED: Policy = Policy::new("enforced", Algorithm::FixedWindow, &TIERS);
        static SHADOW: Policy =
            Policy::new("tried out", Algorithm::FixedWindow, &TIERS).with_shadow();
        static EXEMPT: Policy =
            Policy::new("exempt", Algorithm::FixedWindow, &TIERS).with_exempt(|_| true);
        let shadow_alone = totals_after_five(&[&SHADOW]);
        let [("tried out", tried_out)] = shadow_alone[..] else {
            panic!("{shadow_alone:?}");
        };
        assert_eq!((tried_out.allowed, tried_out.shadow), (2, 3));

        let mut all = totals_after_five(&[&ENFORCED, &EXEMPT]);
        all.sort_by_key(|(name, _)| *name);
        let [("enforced", enforced), ("exempt", exempt)] = all[..] else {
            panic!("{all:?}");
        };
        assert_eq!((enforced.allowed, enforced.limited), (2, 3));
        assert_eq!(exempt.exempt, 5);
    }

    #[test]
    fn what_another_policy_has_turned_away_is_counted_there_alone() {
        static STRICT: Policy = Policy::new("strict", Algorithm::FixedWindow, &TIERS);
        static LOOSE: Policy = Policy::new(
            "loose",
            Algorithm::FixedWindow,
            &[Tier::new("free", Quota::per_hour(4))],
        );
        let mut all = totals_after_five(&[&LOOSE, &STRICT]);
        all.sort_by_key(|(name, _)| *name);
        let [("loose", loose), ("strict", strict)] = all[..] else {
            panic!("{all:?}");
        };
        assert_eq!((loose.allowed, loose.requests()), (2, 2));
        assert_eq!((strict.allowed, strict.limited), (2, 3));
    }
}
