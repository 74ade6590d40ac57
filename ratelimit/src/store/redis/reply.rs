//! What a script's reply says. The script has decided; the same arithmetic that it stands for works
//! out what to tell the client, and an answer on which the two do not agree is none.

use crate::{
    algorithm::{Decision, fixed_window, sliding_window, token_bucket},
    policy::{Algorithm, Quota, TICKS_PER_MICRO},
    store::{Bucket, Charge, Decisions},
};

/// The time and the state that a script found.
pub(super) struct Found {
    now: u64,
    state: FoundState,
}

enum FoundState {
    TokenBucket(token_bucket::State),
    SlidingWindow(sliding_window::View),
    FixedWindow(fixed_window::State),
}

impl Found {
    /// From what a script returned; `None` where the numbers are not a script's.
    pub(super) fn read(bucket: &Bucket, numbers: &[u64]) -> Option<Self> {
        let (&now, state) = numbers.split_first()?;
        let state = match (bucket.algorithm(), state) {
            (Algorithm::TokenBucket, &[us, ticks]) => {
                FoundState::TokenBucket(token_bucket::State {
                    full_at: us.saturating_mul(TICKS_PER_MICRO).saturating_add(ticks),
                })
            }
            (Algorithm::SlidingWindow, &[used, newest, blocking]) => {
                let used = u32::try_from(used).ok()?;
                let view = sliding_window::View {
                    used,
                    newest,
                    blocking,
                };
                FoundState::SlidingWindow(view.no_later_than(now))
            }
            (Algorithm::FixedWindow, &[start, used]) => {
                let used = u32::try_from(used).ok()?;
                FoundState::FixedWindow(fixed_window::State { start, used })
            }
            _ => return None,
        };
        Some(Self { now, state })
    }

    /// What the script has decided as well, with what to tell the client.
    pub(super) fn check(&self, quota: &Quota, cost: u32) -> Decision {
        match self.state {
            FoundState::TokenBucket(state) => token_bucket::check(state, quota, cost, self.now).1,
            FoundState::SlidingWindow(view) => sliding_window::decide(view, quota, cost, self.now),
            FoundState::FixedWindow(state) => fixed_window::check(state, quota, cost, self.now).1,
        }
    }

    pub(super) fn charge(&self, quota: &Quota, cost: u32) -> Decision {
        match self.state {
            FoundState::TokenBucket(state) => token_bucket::charge(state, quota, cost, self.now).1,
            FoundState::SlidingWindow(view) => sliding_window::charge(view, quota, cost, self.now),
            FoundState::FixedWindow(state) => fixed_window::charge(state, quota, cost, self.now).1,
        }
    }
}

/// The decision, if the script has taken the same.
pub(super) fn agreed(decision: Decision, admitted: u64) -> Option<Decision> {
    (u64::from(decision.allowed) == admitted).then_some(decision)
}

/// The decisions about several buckets: where one is denied, nothing was taken from the others.
pub(super) fn decisions(charges: &[Charge], answers: &[Vec<u64>]) -> Option<Decisions> {
    if answers.len() != charges.len() {
        return None;
    }
    let admitted =
        |(charge, answer): (&Charge, &Vec<u64>)| !charge.enforced || answer.first() == Some(&1);
    let all_admitted = charges.iter().zip(answers).all(admitted);
    let decision = |(charge, answer): (&Charge, &Vec<u64>)| {
        let (&admitted, rest) = answer.split_first()?;
        let found = Found::read(&charge.bucket, rest)?;
        let quota = charge.bucket.quota();
        let decision = agreed(found.check(&quota, charge.cost), admitted)?;
        let was_taken = all_admitted && decision.allowed;
        Some(if was_taken || !decision.allowed {
            decision
        } else {
            found.check(&quota, 0)
        })
    };
    charges.iter().zip(answers).map(decision).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Policy, Tier},
    };

    #[test]
    fn an_answer_that_is_not_the_scripts_is_no_decision() {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
        static POLICIES: [Policy; 3] = [
            Policy::new("tokens", Algorithm::TokenBucket, &TIERS),
            Policy::new("sliding", Algorithm::SlidingWindow, &TIERS),
            Policy::new("fixed", Algorithm::FixedWindow, &TIERS),
        ];
        for policy in &POLICIES {
            let bucket = Bucket::new(policy, policy.default_tier(), ClientId::EVERYBODY);
            let charge = Charge {
                bucket: bucket.expect("limited"),
                cost: 1,
                enforced: true,
            };
            for answer in [
                vec![],
                vec![1],
                vec![1, 2],
                vec![1, 2, 3],
                vec![1, 2, 3, 4, 5, 6],
                vec![0, 1_000_000, 0, 0],
                vec![7, u64::MAX, u64::MAX, u64::MAX],
                vec![7, u64::MAX, u64::MAX, u64::MAX, u64::MAX],
            ] {
                let decided = decisions(&[charge], std::slice::from_ref(&answer));
                assert_eq!(decided, None, "{policy:?} {answer:?}");
            }
            assert_eq!(decisions(&[charge], &[]), None);
        }
        let bucket = Bucket::new(&POLICIES[2], &TIERS[0], ClientId::EVERYBODY).expect("limited");
        let found = Found::read(&bucket, &[1_000_000, 0, 0]);
        assert!(found.is_some_and(|found| found.check(&bucket.quota(), 1).allowed));
    }

    fn number() -> impl Strategy<Value = u64> {
        let now = 1_700_000_000_000_000;
        prop_oneof![
            any::<u64>(),
            0..10_u64,
            now - 100_000_000..now + 100_000_000_u64,
            Just(1 << 53),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_answered_nobody_is_told_more_than_the_limit(
            answers in vec(vec(number(), 0..7), 0..4),
            cost in prop_oneof![0..8_u32, any::<u32>()],
        ) {
            static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
            static POLICIES: [Policy; 3] = [
                Policy::new("tokens", Algorithm::TokenBucket, &TIERS),
                Policy::new("sliding", Algorithm::SlidingWindow, &TIERS),
                Policy::new("fixed", Algorithm::FixedWindow, &TIERS),
            ];
            let charge = |policy| Charge {
                bucket: Bucket::new(policy, &TIERS[0], ClientId::EVERYBODY).expect("limited"),
                cost,
                enforced: true,
            };
            let charges = POLICIES.each_ref().map(charge);
            for decision in decisions(&charges, &answers).into_iter().flatten() {
                prop_assert!(decision.remaining <= 5);
            }
            for (charge, answer) in charges.iter().zip(&answers) {
                if let Some(found) = Found::read(&charge.bucket, answer) {
                    prop_assert!(found.charge(&charge.bucket.quota(), cost).remaining <= 5);
                }
            }
        }
    }
}
