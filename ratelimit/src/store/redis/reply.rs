//! What a script's reply says. The script has decided; the same arithmetic that it stands for works
//! out what to tell the client, and an answer on which the two do not agree is none.

use std::time::Duration;

use redis::{FromRedisValue, ParsingError, Value};

use crate::{
    algorithm::{Decision, fixed_window, sliding_window, token_bucket},
    policy::{Algorithm, Quota, TICKS_PER_MICRO},
    store::{Bucket, Charge, Decisions},
};

/// How long an answer is: five doubles.
const ANSWER: usize = 5 * size_of::<f64>();

/// What a script says of one bucket: the time, what it has decided, and the state that it found.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Answer(pub(super) [u64; 5]);

impl FromRedisValue for Answer {
    fn from_redis_value_ref(reply: &Value) -> Result<Self, ParsingError> {
        let read = |reply: &Value| {
            let Value::BulkString(reply) = reply else {
                return None;
            };
            let (doubles, []) = reply.as_chunks() else {
                return None;
            };
            let doubles: &[[u8; 8]; 5] = doubles.try_into().ok()?;
            let mut answer = [0; 5];
            for (number, double) in answer.iter_mut().zip(doubles) {
                *number = whole(f64::from_le_bytes(*double))?;
            }
            Some(Self(answer))
        };
        read(reply).ok_or_else(|| ParsingError::from("not five numbers".to_owned()))
    }

    fn from_redis_value(reply: Value) -> Result<Self, ParsingError> {
        Self::from_redis_value_ref(&reply)
    }
}

/// The whole number that a double is. Of seconds it can be had without a cast, which could not say
/// that it is none.
fn whole(double: f64) -> Option<u64> {
    let seconds = Duration::try_from_secs_f64(double).ok()?;
    (seconds.subsec_nanos() == 0).then_some(seconds.as_secs())
}

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
                FoundState::FixedWindow(fixed_window::State::opened(start, used, &bucket.quota()))
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

/// What is said of each of several buckets, as if it had been asked about alone: one by one, or where
/// there is an answer to each as one string. A reply that is not about so many says nothing of any.
pub(super) fn of_each(reply: Value, buckets: usize) -> Vec<Value> {
    match reply {
        Value::Array(answers) if answers.len() == buckets => answers,
        Value::BulkString(answers) if answers.len() == buckets * ANSWER => {
            let answers = answers.chunks_exact(ANSWER);
            answers
                .map(|answer| Value::BulkString(answer.to_vec()))
                .collect()
        }
        _ => vec![Value::Nil; buckets],
    }
}

/// The decisions about several buckets: where one is denied, nothing was taken from the others.
pub(super) fn decisions(charges: &[Charge], answers: &[Answer]) -> Option<Decisions> {
    if answers.len() != charges.len() {
        return None;
    }
    let admitted = |(charge, Answer([_, admitted, ..])): (&Charge, &Answer)| {
        !charge.enforced || *admitted == 1
    };
    let all_admitted = charges.iter().zip(answers).all(admitted);
    let decision = |(charge, &Answer([now, admitted, ref state @ ..])): (&Charge, &Answer)| {
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
    use std::array;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Policy, Tier},
    };

    #[test]
    fn an_answer_that_is_not_the_scripts_is_no_decision() {
        for policy in &POLICIES {
            let bucket = Bucket::new(policy, policy.default_tier(), ClientId::EVERYBODY);
            let charge = Charge {
                bucket: bucket.expect("limited"),
                cost: 1,
                enforced: true,
            };
            let now = 1_000_000;
            for answers in [
                vec![],
                vec![Answer([now, 1, 0, 0, 0]), Answer([now, 1, 0, 0, 0])],
                vec![Answer([now, 0, 0, 0, 0])],
                vec![Answer([now, 7, 0, 0, 0])],
                vec![Answer([now, 7, u64::MAX, u64::MAX, u64::MAX])],
                vec![Answer([u64::MAX; 5])],
            ] {
                let decided = decisions(&[charge], &answers);
                assert_eq!(decided, None, "{policy:?} {answers:?}");
            }
            let decided = decisions(&[charge], &[Answer([now, 1, 0, 0, 0])]);
            assert!(decided.is_some_and(|decided| decided[0].allowed));
        }
    }

    #[test]
    fn a_limit_that_is_not_enforced_keeps_nothing_from_being_taken() {
        let used_up = [[NOW + 60_000_000, 0, 0], [5, NOW, NOW], [NOW, 5, 0]];
        let unused = [[NOW, 0, 0], [0, 0, 0], [0, 0, 0]];
        for shadow in 0..3 {
            let mut charges = charges(1);
            charges[shadow].enforced = false;
            let mut states = unused;
            states[shadow] = used_up[shadow];
            let decided = decisions(&charges, &answers(&charges, NOW, states));
            for (n, decision) in decided.expect("decisions").iter().enumerate() {
                let expected = if n == shadow { (false, 0) } else { (true, 4) };
                assert_eq!((decision.allowed, decision.remaining), expected, "{n}");
            }
            // One that is enforced does.
            charges[shadow].enforced = true;
            let decided = decisions(&charges, &answers(&charges, NOW, states));
            for (n, decision) in decided.expect("decisions").iter().enumerate() {
                let expected = if n == shadow { (false, 0) } else { (true, 5) };
                assert_eq!((decision.allowed, decision.remaining), expected, "{n}");
            }
        }
    }

    fn reply(doubles: &[f64]) -> Value {
        let bytes = doubles.iter().flat_map(|double| double.to_le_bytes());
        Value::BulkString(bytes.collect())
    }

    #[test]
    fn five_whole_numbers_are_an_answer() {
        let last = 2_f64.powi(53);
        let answer = Answer::from_redis_value(reply(&[0.0, 1.0, last - 1.0, last, 7.0]));
        let expected = Answer([0, 1, (1 << 53) - 1, 1 << 53, 7]);
        assert_eq!(answer.ok(), Some(expected));
        for other in [
            reply(&[]),
            reply(&[1.0; 4]),
            reply(&[1.0; 6]),
            reply(&[1.0, 1.0, 1.0, 1.0, 0.5]),
            reply(&[1.0, 1.0, 1.0, 1.0, -1.0]),
            reply(&[f64::NAN; 5]),
            reply(&[f64::INFINITY; 5]),
            Value::BulkString(vec![0; 39]),
            Value::Array(vec![Value::Int(1); 5]),
            Value::Nil,
        ] {
            let answer = Answer::from_redis_value(other.clone());
            assert_eq!(answer.ok(), None, "{other:?}");
        }
    }

    #[test]
    fn an_answer_for_each_or_for_none() {
        let alone = vec![reply(&[5.0, 1.0, 2.0, 3.0, 4.0]), Value::Nil];
        let both = Value::Array(alone.clone());
        assert_eq!(of_each(both.clone(), 2), alone);
        let one = reply(&[5.0, 1.0, 2.0, 3.0, 4.0]);
        let two = reply(&[6.0, 0.0, 9.0, 8.0, 7.0]);
        let at_once = reply(&[5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 0.0, 9.0, 8.0, 7.0]);
        assert_eq!(of_each(at_once.clone(), 2), [one, two]);
        for (reply, buckets) in [
            (both.clone(), 1),
            (both, 3),
            (at_once.clone(), 1),
            (at_once, 3),
            (Value::Nil, 2),
        ] {
            assert_eq!(of_each(reply, buckets), vec![Value::Nil; buckets]);
        }
    }

    static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
    static POLICIES: [Policy; 3] = [
        Policy::new("tokens", Algorithm::TokenBucket, &TIERS),
        Policy::new("sliding", Algorithm::SlidingWindow, &TIERS),
        Policy::new("fixed", Algorithm::FixedWindow, &TIERS),
    ];

    const NOW: u64 = 1_700_000_000_000_000;

    /// Instants long ago, about now, and at the ends of what a double holds.
    fn instant() -> impl Strategy<Value = u64> {
        prop_oneof![
            2 => NOW - 100_000_000..NOW + 100_000_000_u64,
            1 => 0..10_u64,
            1 => Just(1 << 53),
            1 => any::<u64>(),
        ]
    }

    fn count() -> impl Strategy<Value = u64> {
        prop_oneof![3 => 0..10_u64, 1 => any::<u32>().prop_map(u64::from)]
    }

    /// What the scripts of the three algorithms may have found.
    fn states() -> impl Strategy<Value = [[u64; 3]; 3]> {
        let tokens = (instant(), 0..TICKS_PER_MICRO).prop_map(|(us, ticks)| [us, ticks, 0]);
        let sliding = (count(), instant(), instant());
        let sliding = sliding.prop_map(|(used, newest, blocking)| [used, newest, blocking]);
        let fixed = (instant(), count()).prop_map(|(start, used)| [start, used, 0]);
        (tokens, sliding, fixed).prop_map(<[_; 3]>::from)
    }

    /// A request of this cost under each of the algorithms.
    fn charges(cost: u32) -> [Charge; 3] {
        POLICIES.each_ref().map(|policy| Charge {
            bucket: Bucket::new(policy, &TIERS[0], ClientId::EVERYBODY).expect("limited"),
            cost,
            enforced: true,
        })
    }

    /// What the scripts answer where they find this.
    fn answers(charges: &[Charge; 3], now: u64, states: [[u64; 3]; 3]) -> [Answer; 3] {
        array::from_fn(|n| {
            let Charge { bucket, cost, .. } = charges[n];
            let found = Found::read(&bucket, now, states[n]).expect("a state");
            let admitted = found.check(&bucket.quota(), cost).allowed;
            let [a, b, c] = states[n];
            Answer([now, u64::from(admitted), a, b, c])
        })
    }

    proptest! {
        #[test]
        fn whatever_is_answered_nobody_is_told_more_than_the_limit(
            now in prop_oneof![3 => Just(NOW), 1 => instant()],
            states in states(),
            cost in prop_oneof![3 => 0..8_u32, 1 => any::<u32>()],
        ) {
            let charges = charges(cost);
            let answers = answers(&charges, now, states);
            let all = answers.iter().all(|Answer([_, admitted, ..])| *admitted == 1);
            let decided = decisions(&charges, &answers);
            for (decision, answer) in decided.expect("decisions").iter().zip(&answers) {
                let Answer([_, admitted, ..]) = answer;
                prop_assert_eq!(u64::from(decision.allowed), *admitted);
                let most = if all { 5 - cost.min(5) } else { 5 };
                prop_assert!(decision.remaining <= most, "{:?}", decision);
            }
            for (charge, state) in charges.iter().zip(states) {
                let found = Found::read(&charge.bucket, now, state).expect("a state");
                let charged = found.charge(&charge.bucket.quota(), cost);
                prop_assert!(charged.remaining <= 5 - cost.min(5), "{:?}", charged);
            }
        }

        #[test]
        fn an_answer_that_differs_from_the_arithmetic_is_no_decision(
            states in states(),
            cost in 0..8_u32,
            which in 0..3_usize,
        ) {
            let charges = charges(cost);
            let mut answers = answers(&charges, NOW, states);
            let Answer([_, admitted, ..]) = &mut answers[which];
            *admitted = 1 - *admitted;
            prop_assert_eq!(decisions(&charges, &answers), None);
        }
    }
}
