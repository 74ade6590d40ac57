//! What the last answers of a store that is elsewhere say of its buckets.
//!
//! It is good for two things. A client that was turned away is turned away again without asking
//! the store, for as long as that [permits](crate::Store::rejection_ttl), so that a flood of its
//! requests costs the store nothing. And when the store is out,
//! the limits in this process begin where the client stood, not at a full quota.

use std::time::Duration;

use quick_cache::sync::Cache;

use crate::{
    algorithm::{Decision, State},
    clock::micros,
    store::{AnyStore, Bucket, BucketKey, Charge, Decisions},
};

/// How many buckets are remembered, at about 100 bytes each.
const CAPACITY: usize = 100_000;

pub(super) struct Known {
    entries: Cache<BucketKey, Entry>,
    /// Microseconds for which a rejection is used without asking the store: another process may have
    /// given the client something back, or an operator may have reset it.
    rejection_ttl: u64,
}

/// One answer; its times are this process's, counted from when the store was asked, so that nobody
/// is turned away for longer than the store said.
#[derive(Clone, Copy)]
struct Entry {
    asked_at: u64,
    decision: Decision,
    cost: u32,
}

impl Known {
    /// Nothing is kept of a store that is never unavailable and whose rejections are not cached.
    pub(super) fn of(store: &AnyStore) -> Option<Self> {
        let rejection_ttl = store.rejection_ttl();
        let has_effect = !store.is_in_process() || !rejection_ttl.is_zero();
        has_effect.then(|| Self::new(rejection_ttl))
    }

    fn new(rejection_ttl: Duration) -> Self {
        Self {
            entries: Cache::new(CAPACITY),
            rejection_ttl: micros(rejection_ttl),
        }
    }

    /// Remembers the store's decisions about these charges.
    pub(super) fn note(&self, charges: &[Charge], decisions: &[Decision], asked_at: u64) {
        for (charge, &decision) in charges.iter().zip(decisions) {
            let entry = Entry {
                asked_at,
                decision,
                cost: charge.cost,
            };
            self.entries.insert(charge.bucket.key(), entry);
        }
    }

    /// Something was given back: the client may be admitted sooner than the last answer said.
    pub(super) fn forget(&self, bucket: &Bucket) {
        self.entries.remove(&bucket.key());
    }

    /// What the store would say now, where it is known that it would turn the request away.
    pub(super) fn denial(&self, charges: &[Charge], now: u64) -> Option<Decisions> {
        if self.rejection_ttl == 0 {
            return None;
        }
        let decisions = charges
            .iter()
            .map(|charge| {
                let entry = self.entries.get(&charge.bucket.key())?;
                entry.now(charge.cost, now, self.rejection_ttl)
            })
            .collect::<Option<Decisions>>()?;
        let denies =
            |(charge, decision): (&Charge, &Decision)| charge.enforced && !decision.allowed;
        let is_denied = charges.iter().zip(&decisions).any(denies);
        is_denied.then_some(decisions)
    }

    /// Where the client stood at the last answer, which is then forgotten: what happens from now on
    /// is not in it.
    pub(super) fn take(&self, bucket: &Bucket) -> Option<State> {
        let (_, entry) = self.entries.remove(&bucket.key())?;
        let Decision {
            remaining,
            reset_after,
            ..
        } = entry.decision;
        let full_at = entry.asked_at.saturating_add(micros(reset_after));
        Some(State::remembered(
            bucket.algorithm(),
            &bucket.quota(),
            remaining,
            full_at,
        ))
    }
}

impl Entry {
    /// The decision about a request of this cost a little later, if nothing else has happened.
    fn now(&self, cost: u32, now: u64, ttl: u64) -> Option<Decision> {
        let passed = now.checked_sub(self.asked_at)?;
        if passed >= ttl {
            return None;
        }
        let passed = Duration::from_micros(passed);
        let decision = Decision {
            reset_after: self.decision.reset_after.saturating_sub(passed),
            ..self.decision
        };
        if self.decision.allowed || cost != self.cost {
            // When a request that does not fit in will, only the store can tell.
            let allowed = cost <= self.decision.remaining;
            return allowed.then_some(Decision {
                allowed,
                retry_after: None,
                ..decision
            });
        }
        let retry_after = match self.decision.retry_after {
            // Never: it costs more than the quota can hold.
            None => None,
            Some(time) => Some(time.checked_sub(passed).filter(|time| !time.is_zero())?),
        };
        Some(Decision {
            retry_after,
            ..decision
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
        store::MemoryStore,
    };

    static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_minute(6))];
    static POLICIES: [Policy; 3] = [
        Policy::new("tokens", Algorithm::TokenBucket, &TIERS),
        Policy::new("sliding", Algorithm::SlidingWindow, &TIERS),
        Policy::new("fixed", Algorithm::FixedWindow, &TIERS),
    ];

    fn charge(policy: &'static Policy, cost: u32) -> Charge {
        let bucket = Bucket::new(policy, policy.default_tier(), ClientId::EVERYBODY);
        Charge {
            bucket: bucket.expect("limited"),
            cost,
            enforced: true,
        }
    }

    /// A denial, as the store gives it at the time 5,000,000.
    fn denied(retry_after: Option<Duration>) -> Decision {
        Decision {
            allowed: false,
            remaining: 2,
            retry_after,
            reset_after: Duration::from_secs(40),
            at_micros: 77,
        }
    }

    #[test]
    fn a_denial_holds_until_the_instant_it_ends_and_a_second_at_the_most() {
        let known = Known::new(Duration::from_secs(1));
        let charges = [charge(&POLICIES[0], 3)];
        let at = |now| known.denial(&charges, now).map(|decisions| decisions[0]);
        assert_eq!(at(5_000_000), None, "nothing is known");

        let time = Duration::from_micros;
        known.note(&charges, &[denied(Some(time(700_000)))], 5_000_000);
        let later = at(5_699_999).expect("it is denied");
        assert_eq!(later.retry_after, Some(time(1)));
        assert_eq!(later.reset_after, time(40_000_000 - 699_999));
        assert_eq!(later.remaining, 2);
        assert_eq!(at(5_700_000), None);
        assert_eq!(at(4_999_999), None, "the clock has stepped back");

        known.note(&charges, &[denied(Some(time(30_000_000)))], 5_000_000);
        assert!(at(5_999_999).is_some());
        assert_eq!(at(6_000_000), None, "something may have been given back");

        known.note(&charges, &[denied(None)], 5_000_000);
        assert_eq!(at(5_999_999).map(|never| never.retry_after), Some(None));
        known.forget(&charges[0].bucket);
        assert_eq!(at(5_000_001), None);
    }

    #[test]
    fn a_denial_is_of_the_cost_that_was_denied_and_needs_a_bucket_with_a_say() {
        let known = Known::new(Duration::from_secs(1));
        let three = charge(&POLICIES[0], 3);
        let denied = denied(Some(Duration::from_secs(9)));
        known.note(&[three], &[denied], 5_000_000);
        for cost in [0, 1, 2, 4] {
            let other = [charge(&POLICIES[0], cost)];
            assert_eq!(known.denial(&other, 5_000_001), None, "{cost}");
        }
        let shadow = Charge {
            enforced: false,
            ..three
        };
        assert_eq!(known.denial(&[shadow], 5_000_001), None);

        let other = charge(&POLICIES[1], 1);
        assert_eq!(
            known.denial(&[three, other], 5_000_001),
            None,
            "of one nothing is known"
        );
        let allowed = Decision {
            allowed: true,
            remaining: 4,
            retry_after: None,
            ..denied
        };
        known.note(&[other], &[allowed], 5_000_000);
        let both = known
            .denial(&[three, other], 5_000_001)
            .expect("one is denied");
        assert_eq!((both[0].allowed, both[1].allowed), (false, true));
        assert_eq!(both[1].remaining, 4);
    }

    #[test]
    fn a_state_begins_where_the_client_stood_and_is_never_better() {
        for policy in &POLICIES {
            let quota = policy.default_tier().quota().expect("limited");
            let clock = crate::clock::ManualClock::new();
            let now = || crate::clock::Clock::now_micros(&clock);
            let store = MemoryStore::new().with_clock(clock.clone());
            let known = Known::new(Duration::from_secs(1));
            let one = charge(policy, 1);
            for _ in 0..2 {
                clock.advance(Duration::from_secs(1));
                let decided = store.decide(&[one]);
                known.note(&[one], &decided, now());
            }
            let truth = store.decide(&[charge(policy, 0)])[0];

            let mut state = known.take(&one.bucket).expect("it is known");
            assert!(known.take(&one.bucket).is_none(), "only once");
            let seen = state.peek(&quota, 0, now());
            assert_eq!(seen.remaining, truth.remaining, "{policy:?}");
            assert_eq!(seen.reset_after, truth.reset_after, "{policy:?}");
            // All that is left, and no more.
            assert!(state.check(&quota, seen.remaining, now()).allowed);
            assert!(!state.check(&quota, 1, now()).allowed);
            clock.advance(Duration::from_secs(60));
            assert_eq!(state.peek(&quota, 0, now()).remaining, 6, "{policy:?}");
        }
    }
}
