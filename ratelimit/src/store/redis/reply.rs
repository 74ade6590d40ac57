//! What a script's reply says. The script has decided; the same arithmetic that it stands for works
//! out what to tell the client, and an answer on which the two do not agree is none.

use redis::Value;

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
    pub(super) fn read(bucket: &Bucket, now: u64, state: [u64; 3]) -> Option<Self> {
        let state = match (bucket.algorithm(), state) {
            (Algorithm::TokenBucket, [us, ticks, 0]) => {
                FoundState::TokenBucket(token_bucket::State {
                    full_at: us.saturating_mul(TICKS_PER_MICRO).saturating_add(ticks),
                })
            }
            (Algorithm::SlidingWindow, [used, newest, blocking]) => {
                let used = u32::try_from(used).ok()?;
                let view = sliding_window::View {
                    used,
                    newest,
                    blocking,
                };
                FoundState::SlidingWindow(view.no_later_than(now))
            }
            (Algorithm::FixedWindow, [start, used, 0]) => {
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

/// What is said of each of several buckets, as if it had been asked about alone. A reply that is not
/// about so many says nothing of any.
pub(super) fn of_each(reply: Value, buckets: usize) -> Vec<Value> {
    match reply {
        Value::Array(reply) if reply.len() == 1 + 4 * buckets => {
            let (now, answers) = reply.split_at(1);
            let alone = |answer| Value::Array([now, answer].concat());
            answers.chunks_exact(4).map(alone).collect()
        }
        _ => vec![Value::Nil; buckets],
    }
}

/// The decisions about several buckets: where one is denied, nothing was taken from the others.
pub(super) fn decisions(charges: &[Charge], reply: &[u64]) -> Option<Decisions> {
    let (&now, answers) = reply.split_first()?;
    let (answers, []) = answers.as_chunks::<4>() else {
        return None;
    };
    if answers.len() != charges.len() {
        return None;
    }
    let admitted = |(charge, answer): (&Charge, &[u64; 4])| !charge.enforced || answer[0] == 1;
    let all_admitted = charges.iter().zip(answers).all(admitted);
    let decision = |(charge, &[admitted, ref state @ ..]): (&Charge, &[u64; 4])| {
        let found = Found::read(&charge.bucket, now, *state)?;
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
    use std::iter;

    use proptest::{array, collection::vec, prelude::*};

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
            let now = 1_000_000;
            for reply in [
                vec![],
                vec![now],
                vec![now, 1],
                vec![now, 1, 0, 0],
                vec![now, 1, 0, 0, 0, 0],
                vec![now, 1, 0, 0, 0, 1, 0, 0, 0],
                vec![now, 0, 0, 0, 0],
                vec![now, 7, 0, 0, 0],
                vec![now, 7, u64::MAX, u64::MAX, u64::MAX],
                vec![u64::MAX; 5],
            ] {
                let decided = decisions(&[charge], &reply);
                assert_eq!(decided, None, "{policy:?} {reply:?}");
            }
            let decided = decisions(&[charge], &[now, 1, 0, 0, 0]);
            assert!(decided.is_some_and(|decided| decided[0].allowed));
        }
    }

    #[test]
    fn what_is_said_of_each_is_what_would_be_said_of_it_alone() {
        let numbers = |numbers: &[i64]| {
            let numbers = numbers.iter().copied().map(Value::Int);
            Value::Array(numbers.collect())
        };
        let reply = numbers(&[5, 1, 2, 3, 4, 0, 6, 7, 8]);
        let alone = [numbers(&[5, 1, 2, 3, 4]), numbers(&[5, 0, 6, 7, 8])];
        assert_eq!(of_each(reply.clone(), 2), alone);
        for (reply, buckets) in [(reply.clone(), 1), (reply, 3), (numbers(&[]), 1)] {
            assert_eq!(of_each(reply, buckets), vec![Value::Nil; buckets]);
        }
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
            now in number(),
            states in vec((0..3_u64, array::uniform3(number())), 3),
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
            let answers = states.iter().flat_map(|(admitted, state)| iter::once(admitted).chain(state));
            let reply: Vec<u64> = iter::once(&now).chain(answers).copied().collect();
            for decision in decisions(&charges, &reply).into_iter().flatten() {
                prop_assert!(decision.remaining <= 5);
            }
            for (charge, (_, state)) in charges.iter().zip(states) {
                if let Some(found) = Found::read(&charge.bucket, now, state) {
                    prop_assert!(found.charge(&charge.bucket.quota(), cost).remaining <= 5);
                }
            }
        }
    }
}
