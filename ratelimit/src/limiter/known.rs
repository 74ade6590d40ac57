//! What the last answers of a store that is elsewhere say of its buckets.
//!
//! It is good for two things. A client that was turned away is turned away again without asking
//! the store, for as long as that [permits](crate::Store::rejection_ttl), so that a flood of its
//! requests costs the store nothing. And when the store is out,
//! the limits in this process begin where the client stood, not at a full quota.

use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};

use super::account::Charges;
use crate::{
    algorithm::{Decision, State},
    clock::micros,
    policy::{Algorithm, TICKS_PER_MICRO},
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

/// A rejection that holds for other costs as well: for as long as only time passes, or more is taken,
/// what does not fit in keeps out whatever costs more.
#[derive(Clone, Copy)]
struct Rejection {
    asked_at: u64,
    /// The lowest cost of which it is certain that it does not fit in until then.
    cost: u32,
    until: u64,
    /// What was left.
    remaining: u32,
}

/// No cost of this bucket ever fits in.
const NEVER: u64 = u64::MAX;

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

impl Rejection {
    fn of(charge: &Charge, decision: &Decision, asked_at: u64) -> Option<Self> {
        if decision.allowed {
            return None;
        }
        let Decision {
            remaining,
            retry_after,
            ..
        } = *decision;
        let until = retry_after.map_or(NEVER, |time| asked_at.saturating_add(micros(time)));
        let cost = match charge.bucket.algorithm() {
            // There is no more of it until it closes.
            Algorithm::FixedWindow if until != NEVER => {
                charge.cost.min(remaining.saturating_add(1))
            }
            _ => charge.cost,
        };
        Some(Self {
            asked_at,
            cost,
            until,
            remaining,
        })
    }

    /// Whether it is to be kept when there is a new answer: the lower the cost, the more it rejects.
    fn says_more(&self, new: Option<&Self>, now: u64, ttl: u64) -> bool {
        self.is_fresh(now, ttl) && now < self.until && new.is_none_or(|new| self.cost < new.cost)
    }

    fn is_fresh(&self, now: u64, ttl: u64) -> bool {
        let passed = now.checked_sub(self.asked_at);
        passed.is_some_and(|passed| passed < ttl)
    }

    /// Returns until when a cost is rejected, at least; `None` if it may be allowed now.
    ///
    /// For a token bucket and a fixed window, and for the cost that was rejected, it is the instant
    /// itself. For a higher cost under a sliding window it may be later than that.
    fn until(&self, bucket: &Bucket, cost: u32, now: u64, ttl: u64) -> Option<u64> {
        if !self.is_fresh(now, ttl) {
            return None;
        }
        let interval = match bucket.algorithm() {
            Algorithm::TokenBucket => u128::from(bucket.quota().interval_ticks()),
            Algorithm::SlidingWindow | Algorithm::FixedWindow => 0,
        };
        let ticks = |tokens: u32| u128::from(tokens) * interval;
        if cost >= self.cost {
            // By when its other tokens have come as well.
            let more = ticks(cost - self.cost).div_ceil(u128::from(TICKS_PER_MICRO));
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            return (now < self.until).then(|| self.until.saturating_add(more));
        }
        if interval == 0 {
            return None;
        }
        // A token bucket had less than one more token than it said, and has earned since.
        let had = ticks(self.remaining) + interval;
        let earned = u128::from(now - self.asked_at) * u128::from(TICKS_PER_MICRO);
        let missing = ticks(cost).checked_sub(had + earned)?;
        let at_least = u64::try_from(missing / u128::from(TICKS_PER_MICRO)).ok()?;
        let fewer = ticks(self.cost - cost) / u128::from(TICKS_PER_MICRO);
        let before = u64::try_from(fewer).unwrap_or(u64::MAX);
        let until = match self.until {
            NEVER => 0,
            until => until.saturating_sub(before),
        };
        Some(until.max(now.saturating_add(at_least)).max(now + 1))
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

    static PATIENT: Policy =
        Policy::new("patient", Algorithm::FixedWindow, &TIERS).with_wait(Duration::from_secs(5));

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
    fn a_denial_is_of_all_higher_costs_and_needs_a_bucket_with_a_say() {
        let seconds = Duration::from_secs;
        // Of three, of four, and of one that never fits in, a microsecond later.
        let same = seconds(9);
        for (policy, four) in [(0, seconds(19)), (1, same), (2, same)] {
            let known = Known::new(seconds(1));
            let policy = &POLICIES[policy];
            known.note(&[charge(policy, 3)], &[denied(Some(seconds(9)))], 5_000_000);
            let at = |cost| known.denial(&[charge(policy, cost)], 5_000_001);
            for cost in 0..=2 {
                assert_eq!(at(cost), None, "{policy:?} {cost}");
            }
            let micro = Duration::from_micros(1);
            for (cost, retry_after) in [(3, Some(same)), (4, Some(four)), (7, None)] {
                let denial = at(cost).unwrap_or_else(|| panic!("{policy:?} {cost}"));
                let known = denial[0].retry_after.map(|time| time + micro);
                assert_eq!(known, retry_after, "{policy:?} {cost}");
                assert_eq!((denial[0].allowed, denial[0].remaining), (false, 2));
            }
        }
        let known = Known::new(seconds(1));
        let three = charge(&POLICIES[0], 3);
        let denied = denied(Some(seconds(9)));
        known.note(&[three], &[denied], 5_000_000);
        let shadow = Charge {
            enforced: false,
            ..three
        };
        assert_eq!(known.denial(&[shadow], 5_000_001), None);

        let other = charge(&POLICIES[1], 1);
        let both = known.denial(&[three, other], 5_000_001);
        let both = both.expect("one is denied, whatever the other one is");
        assert_eq!((both[0].allowed, both[1].allowed), (false, true));
        assert_eq!(both[1].remaining, 6);
        assert_eq!(both[0].at_micros, both[1].at_micros);
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

    /// A value of the client's own choice, new each time, must not have the store asked each time.
    #[test]
    fn a_denial_has_the_store_asked_about_other_buckets_only_if_the_request_may_wait_for_its_end() {
        let strict = charge(&POLICIES[0], 3);
        let patient = charge(&PATIENT, 3);
        let new = Charge {
            bucket: patient.bucket.with_client(ClientId::value("new")),
            ..patient
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (denies, retry_after, is_certain) in [
            (strict, seconds(1), true),
            (patient, seconds(5), false),
            (patient, seconds(6), true),
            (patient, None, true),
        ] {
            let known = Known::new(Duration::from_secs(1));
            known.note(&[denies], &[denied(retry_after)], 5_000_000);
            for charges in [[denies, new], [new, denies]] {
                let denial = known.denial(&charges, 5_000_000);
                assert_eq!(denial.is_some(), is_certain, "{denies:?} {retry_after:?}");
            }
        }
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

            let mut states = Vec::new();
            known.hand_over(&one.bucket, |state| {
                states.push(state);
                // As another request does at the same time.
                known.hand_over(&one.bucket, |state| states.push(state));
            });
            known.hand_over(&one.bucket, |_| panic!("it is forgotten"));
            assert_eq!(states.len(), 2);
            let mut state = states.remove(0);
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

    /// Requests of random costs to one bucket, which other processes take from as well, that decides a
    /// little after it was asked. Returns how many there were, how often the store was asked, and how
    /// many of these were allowed.
    fn flood(
        policy: &'static Policy,
        cost: impl Fn(&mut dyn FnMut(u64) -> u32) -> u32,
        seed: u64,
    ) -> (u32, u32, u32) {
        let mut random = seed;
        let mut below = move |bound: u64| {
            random ^= random >> 12;
            random ^= random << 25;
            random ^= random >> 27;
            let scrambled = random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
            u32::try_from(scrambled % bound).expect("small")
        };
        let known = Known::new(Duration::from_secs(1));
        let quota = policy.default_tier().quota().expect("limited");
        let mut store = State::new(policy.algorithm());
        let (mut now, mut asked, mut allowed) = (1_000_000_000, 0, 0);
        let requests = 20_000;
        for _ in 0..requests {
            now += u64::from(below(1_000));
            if below(50) == 0 {
                store.check(&quota, below(3), now);
            }
            let request = charge(policy, cost(&mut below));
            let cost = request.cost;
            if let Some(denial) = known.denial(&[request], now) {
                let truth = store.peek(&quota, cost, now);
                assert!(!truth.allowed, "{policy:?} {cost}: {denial:?}");
                let (known, true_wait) = (denial[0].retry_after, truth.retry_after);
                assert_eq!(known.is_none(), true_wait.is_none());
                // No longer than it is, but for what two numbers of ticks are rounded by.
                let rounding = Duration::from_micros(2);
                assert!(known <= true_wait.map(|time| time + rounding), "{truth:?}");
                continue;
            }
            asked += 1;
            let asked_at = now;
            now += u64::from(below(300));
            let decision = store.check(&quota, cost, now);
            let looks = known.to_look_at(&[request], &[decision], asked_at);
            known.note(&[request], &[decision], asked_at);
            for look in looks {
                asked += 1;
                let decision = store.peek(&quota, look.cost, now);
                known.note(&[look], &[decision], asked_at);
            }
            allowed += u32::from(decision.allowed);
        }
        (requests, asked, allowed)
    }

    static MANY: [Tier; 1] = [Tier::new("default", Quota::per_minute(600))];
    static FLOODED: [Policy; 3] = [
        Policy::new("tokens", Algorithm::TokenBucket, &MANY),
        Policy::new("sliding", Algorithm::SlidingWindow, &MANY),
        Policy::new("fixed", Algorithm::FixedWindow, &MANY),
    ];

    /// The worst that there is, since a rejection says least of lower costs.
    fn lower_each_time(most: u32) -> impl Fn(&mut dyn FnMut(u64) -> u32) -> u32 {
        let next = std::cell::Cell::new(most);
        move |_| {
            let cost = next.get();
            next.set(if cost > 1 { cost - 1 } else { most });
            cost
        }
    }

    /// In ten seconds, the store is asked for what is allowed and for little else.
    #[test]
    fn a_flood_of_any_costs_asks_the_store_for_little_more_than_what_it_allows() {
        for policy in &FLOODED {
            for seed in 1..=20 {
                for (costs, (requests, asked, allowed)) in [
                    ("one", flood(policy, |_| 1, seed)),
                    ("two in turn", flood(policy, |below| 1 + 4 * below(2), seed)),
                    (
                        "two large ones",
                        flood(policy, |below| 400 + 300 * below(2), seed),
                    ),
                    ("any", flood(policy, |below| below(700), seed)),
                    ("a few", flood(policy, |below| 1 + below(20), seed)),
                    ("lower and lower", flood(policy, lower_each_time(700), seed)),
                ] {
                    let rejected = asked - allowed;
                    assert!(
                        rejected <= 150 + 2 * allowed && rejected * 20 < requests,
                        "{policy:?} {costs}: asked {asked} times, allowed {allowed} times"
                    );
                }
            }
        }
    }

    #[test]
    fn what_was_given_back_is_not_denied_by_what_was_known_before() {
        let known = Known::new(Duration::from_secs(1));
        let three = charge(&POLICIES[1], 3);
        let denied = denied(Some(Duration::from_secs(9)));
        let allowed = Decision {
            allowed: true,
            ..denied
        };
        known.note(&[three], &[denied], 5_000_000);
        known.note(&[charge(&POLICIES[1], 1)], &[allowed], 5_000_001);
        assert!(known.denial(&[three], 5_000_002).is_some(), "less is left");
        known.forget(&three.bucket);
        assert_eq!(known.denial(&[three], 5_000_002), None);
        known.note(&[charge(&POLICIES[1], 1)], &[allowed], 5_000_003);
        assert_eq!(known.denial(&[three], 5_000_004), None);
    }
}
