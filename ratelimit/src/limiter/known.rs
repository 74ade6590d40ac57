//! What the last answers of a store that is elsewhere say of its buckets.
//!
//! It is good for two things. A client that was turned away is turned away again without asking
//! the store, for as long as that [permits](crate::Store::rejection_ttl), so that a flood of its
//! requests costs the store nothing. And when the store is out,
//! the limits in this process begin where the client stood, not at a full quota.

mod rejection;
#[cfg(test)]
mod tests;

use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use self::rejection::{NEVER, Rejection};
use super::account::Charges;
use crate::{
    algorithm::{Decision, State},
    clock::micros,
    policy::Algorithm,
    store::{AnyStore, Bucket, BucketKey, Charge, Decisions},
};

/// How many buckets are remembered, at about 130 bytes each.
const CAPACITY: usize = 100_000;

pub(super) struct Known {
    entries: Cache<BucketKey, Entry>,
    /// Microseconds for which a rejection is used without asking the store: another process may have
    /// given the client something back, or an operator may have reset it.
    rejection_ttl: u64,
}

/// What is known of one bucket. Its times are this process's, counted from when the store was asked, so
/// that no client is rejected for longer than the store said.
#[derive(Clone, Copy)]
struct Entry {
    /// When the store was asked for the last answer.
    asked_at: u64,
    decision: Decision,
    /// The last rejection, or an earlier one that says more. It stays when a request is allowed: what is
    /// taken from a bucket makes no room for a request that did not fit in.
    rejection: Option<Rejection>,
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
            let new = Entry {
                asked_at,
                decision,
                rejection: Rejection::of(charge, &decision, asked_at),
            };
            // In one step, so that what is forgotten meanwhile does not come back.
            let key = charge.bucket.key();
            let noted = self.entries.entry(&key, Some(Duration::ZERO), |_, entry| {
                let before = entry.rejection;
                *entry = new;
                if let Some(before) = before
                    && before.says_more(new.rejection.as_ref(), asked_at, self.rejection_ttl)
                {
                    entry.rejection = Some(before);
                }
                EntryAction::<()>::Retain(())
            });
            if let EntryResult::Vacant(place) = noted {
                // It may have been forgotten since, or noted by another thread.
                let _ = place.insert(new);
            }
        }
    }

    /// Returns what to look at after these decisions: under a sliding window, the lowest cost that does not
    /// fit in, of a bucket that has just rejected a higher cost as well.
    ///
    /// When there is more room in a sliding window only the store can tell, and it tells so of the cost
    /// that it is asked for. Were each cost lower than the one before, it would be asked for each.
    pub(super) fn to_look_at(
        &self,
        charges: &[Charge],
        decisions: &[Decision],
        now: u64,
    ) -> Charges {
        let lowest = |(charge, decision): (&Charge, &Decision)| {
            if charge.bucket.algorithm() != Algorithm::SlidingWindow || decision.allowed {
                return None;
            }
            let lowest = decision.remaining.saturating_add(1);
            let is_higher = charge.cost > lowest && decision.retry_after.is_some();
            let before = self.entries.get(&charge.bucket.key())?.rejection?;
            let is_lower = before.is_fresh(now, self.rejection_ttl) && charge.cost < before.cost;
            (is_higher && is_lower).then_some(Charge {
                cost: lowest,
                ..*charge
            })
        };
        charges.iter().zip(decisions).filter_map(lowest).collect()
    }

    /// Something was given back: the client may be admitted sooner than the last answer said.
    pub(super) fn forget(&self, bucket: &Bucket) {
        self.entries.remove(&bucket.key());
    }

    /// Returns what the store would say now, if it is certain that it would turn the request away.
    ///
    /// One bucket that has no room is enough for that. Of the others of which nothing is known, the
    /// decision says that they would admit the request: it may come with a value of its own each time,
    /// and would have the store asked each time. Only if the request may wait for its turn is it asked
    /// then, so that the request waits for the last of its limits.
    pub(super) fn denial(&self, charges: &[Charge], now: u64) -> Option<Decisions> {
        if self.rejection_ttl == 0 {
            return None;
        }
        let (mut denied_at, mut are_all_known, mut may_wait) = (None, true, true);
        let mut decisions = Decisions::new();
        for charge in charges {
            let entry = self.entries.get(&charge.bucket.key());
            let certain = entry.and_then(|entry| entry.now(charge, now, self.rejection_ttl));
            are_all_known &= certain.is_some();
            let decision = certain.unwrap_or_else(|| unknown(charge, entry.as_ref()));
            if charge.enforced && !decision.allowed {
                denied_at = Some(decision.at_micros);
                let wait = charge.bucket.policy().wait();
                let ends = decision.retry_after.zip(wait);
                may_wait &= ends.is_some_and(|(retry_after, wait)| retry_after <= wait);
            }
            decisions.push(decision);
        }
        let denied_at = denied_at?;
        if are_all_known {
            return Some(decisions);
        }
        if may_wait {
            return None;
        }
        for decision in &mut decisions {
            decision.at_micros = denied_at;
        }
        Some(decisions)
    }

    /// Calls a function with the state of a bucket at the last answer, which is forgotten afterwards: it
    /// does not include what happens from then on.
    ///
    /// Requests that notice an outage at the same time may each call it with the same state. None of
    /// them finds that there is no state before the function of another one has returned.
    pub(super) fn hand_over(&self, bucket: &Bucket, begin: impl FnOnce(State)) {
        let key = bucket.key();
        let Some(entry) = self.entries.get(&key) else {
            return;
        };
        begin(entry.state(bucket));
        // A newer answer stays.
        self.entries
            .remove_if(&key, |other| other.asked_at == entry.asked_at);
    }
}

/// Returns what is said of a bucket of which it is not known whether it has room.
fn unknown(charge: &Charge, entry: Option<&Entry>) -> Decision {
    let bucket = &charge.bucket;
    let capacity = || bucket.algorithm().capacity(&bucket.quota());
    Decision {
        allowed: true,
        remaining: entry.map_or_else(capacity, |entry| entry.decision.remaining),
        retry_after: None,
        reset_after: Duration::ZERO,
        at_micros: 0,
    }
}

impl Entry {
    fn state(&self, bucket: &Bucket) -> State {
        let Decision {
            remaining,
            reset_after,
            ..
        } = self.decision;
        let full_at = self.asked_at.saturating_add(micros(reset_after));
        State::remembered(bucket.algorithm(), &bucket.quota(), remaining, full_at)
    }

    /// Returns the decision about a request a little later, if it is certain: what was given back
    /// elsewhere meanwhile is not known.
    fn now(&self, charge: &Charge, now: u64, ttl: u64) -> Option<Decision> {
        let Charge { bucket, cost, .. } = charge;
        let passed = now.checked_sub(self.asked_at)?;
        let decision = Decision {
            allowed: false,
            retry_after: None,
            reset_after: self
                .decision
                .reset_after
                .saturating_sub(Duration::from_micros(passed)),
            ..self.decision
        };
        if *cost > bucket.algorithm().capacity(&bucket.quota()) {
            // Never.
            return (passed < ttl).then_some(decision);
        }
        let rejection = self.rejection.as_ref();
        let rejected = rejection.and_then(|rejection| rejection.until(bucket, *cost, now, ttl));
        if let Some(until) = rejected {
            let wait = || Duration::from_micros(until - now);
            return Some(Decision {
                retry_after: (until != NEVER).then(wait),
                ..decision
            });
        }
        if passed >= ttl {
            return None;
        }
        // If it does not fit in, only the store can tell when it does.
        let allowed = *cost <= self.decision.remaining;
        allowed.then_some(Decision {
            allowed,
            ..decision
        })
    }
}
