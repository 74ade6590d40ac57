//! Clocks that run backwards: the counters of a machine's cores differ, and a clock can be set back.

use super::*;
use crate::clock::micros;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;
const START: u64 = 1_000 * HOUR;

static MINUTELY: &[Tier] = &[Tier::new("free", Quota::per_minute(60))];
static SIXTY: [Policy; 3] = [
    Policy::new("tokens", Algorithm::TokenBucket, MINUTELY),
    Policy::new("sliding", Algorithm::SlidingWindow, MINUTELY),
    Policy::new("fixed", Algorithm::FixedWindow, MINUTELY),
];

/// A small generator of numbers, the same ones for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn setup() -> (MemoryStore, ManualClock) {
    let clock = ManualClock::at(Duration::from_micros(START));
    let store = MemoryStore::new().with_clock(clock.clone());
    (store, clock)
}

/// Uses up a bucket of 60 a minute, and returns how many requests are allowed in the following
/// seconds, in each of which it is checked twenty times. `lag` is how far the clock lags behind the
/// time that has passed.
fn allowed_later(policy: &'static Policy, seconds: u64, mut lag: impl FnMut() -> u64) -> u64 {
    let (store, clock) = setup();
    let bucket = bucket(policy, 1);
    while store.decide_one(&bucket, 1).allowed {}
    let mut allowed = 0;
    for step in 1..=seconds * 20 {
        let passed = step * SECOND / 20;
        clock.set(Duration::from_micros(START + passed - lag()));
        allowed += u64::from(store.decide_one(&bucket, 1).allowed);
    }
    allowed
}

#[test]
fn cores_whose_counters_differ_get_no_more_than_the_quota() {
    for policy in &SIXTY {
        // Less than a window: the window algorithms allow no more at all.
        let (seconds, earned) = match policy.algorithm() {
            Algorithm::TokenBucket => (300, 300),
            _ => (59, 0),
        };
        for lags in [
            [0, 1_600_000, 0, 1_600_000],
            [0, 1_999_999, 1_000_000, 1],
            [1_600_000, 0, 300_000, 900_000],
        ] {
            let mut lags = lags.into_iter().cycle();
            let allowed = allowed_later(policy, seconds, || lags.next().unwrap_or(0));
            assert!(allowed <= earned, "{policy:?}: {allowed}");
            // And not much less: some core is always there to say how late it is.
            assert!(allowed + 3 >= earned, "{policy:?}: {allowed}");
        }
        for seed in 1..=5 {
            let mut random = Random(seed);
            let allowed = allowed_later(policy, seconds, || random.below(2 * SECOND));
            assert!(allowed <= earned, "{policy:?}: {allowed}");
            assert!(allowed + 3 >= earned, "{policy:?}: {allowed}");
        }
    }
}

#[test]
fn the_time_of_a_bucket_never_runs_backwards() {
    for seed in 1..=20 {
        let (store, clock) = setup();
        let mut random = Random(seed);
        let mut latest = [0; 6];
        let mut taken = None;
        for _ in 0..2_000 {
            let shift = match random.below(4) {
                0 => random.below(3 * HOUR),
                1 => random.below(5 * SECOND),
                _ => random.below(1_000),
            };
            let now = clock.now_micros();
            let moved = if random.below(2) == 0 {
                now + shift
            } else {
                now.saturating_sub(shift)
            };
            clock.set(Duration::from_micros(moved));
            let some = u32::try_from(random.below(6)).expect("small");
            let one = bucket(&SIXTY[some as usize % 3], some);
            let mut decided = vec![(some, one)];
            let decisions = match random.below(4) {
                0 => Decisions::from_buf([store.take(&one, 1)]),
                1 if taken.is_some() => {
                    let (n, decision): (u32, Decision) = taken.take().expect("there is one");
                    let bucket = bucket(&SIXTY[n as usize % 3], n);
                    decided = vec![(n, bucket)];
                    Decisions::from_buf([store.give_back(&bucket, 1, &decision)])
                }
                2 => {
                    decided = (0..6)
                        .map(|n| (n, bucket(&SIXTY[n as usize % 3], n)))
                        .collect();
                    let charge = |&(_, bucket): &(u32, Bucket)| Charge {
                        bucket,
                        cost: 1,
                        enforced: true,
                    };
                    store.decide(&decided.iter().map(charge).collect::<Vec<_>>())
                }
                _ => Decisions::from_buf([store.decide_one(&one, 1)]),
            };
            taken = Some((decided[0].0, decisions[0]));
            for ((n, _), decision) in decided.iter().zip(&decisions) {
                let latest = &mut latest[*n as usize];
                assert!(decision.at_micros >= *latest, "seed {seed}");
                *latest = decision.at_micros;
                assert_eq!(decision.at_micros, decisions[0].at_micros, "one instant");
            }
        }
    }
}

/// Up to two seconds are the difference of two cores, for which time stands still.
const STEPS: [(u64, u64); 9] = [
    (1, 1),
    (SECOND, SECOND),
    (2 * SECOND, 2 * SECOND),
    (2 * SECOND + 1, 0),
    (3 * SECOND, 0),
    (59 * SECOND, 0),
    (60 * SECOND, 0),
    (HOUR, 0),
    (START, 0),
];

#[test]
fn a_clock_that_is_set_back_locks_no_client_out_and_gives_nothing_back() {
    let window = 60 * SECOND;
    for policy in &SIXTY {
        for (back, held) in STEPS {
            let (store, clock) = setup();
            let bucket = bucket(policy, 1);
            assert!(store.decide_one(&bucket, 60).allowed);
            clock.set(Duration::from_micros(START - back));
            let rejected = store.decide_one(&bucket, 60);
            assert!(!rejected.allowed, "{policy:?}, {back}: it came back");
            let retry_after = rejected.retry_after.map(micros);
            assert_eq!(retry_after, Some(window));

            // Checked only then, and not in between.
            clock.advance(Duration::from_micros(window + held - 1));
            let early = store.decide_one(&bucket, 60);
            assert!(!early.allowed, "{policy:?}, {back}: early");
            clock.advance(Duration::from_micros(1));
            let on_time = store.decide_one(&bucket, 60);
            assert!(on_time.allowed, "{policy:?}, {back}: locked out");
        }
    }
}

/// And the same if it is checked all the time.
#[test]
fn a_clock_that_is_set_back_goes_on_at_its_rate() {
    for (back, held) in STEPS {
        let (store, clock) = setup();
        let bucket = bucket(&SIXTY[0], 1);
        assert!(store.decide_one(&bucket, 60).allowed);
        clock.set(Duration::from_micros(START - back));
        let mut allowed = 0;
        for _ in 0..600 {
            allowed += u64::from(store.decide_one(&bucket, 1).allowed);
            clock.advance(Duration::from_millis(100));
        }
        // The last check is a tenth of a second before the end of the minute.
        let passed = 60 * SECOND - SECOND / 10 - held;
        assert_eq!(allowed, passed / SECOND, "{back}");
    }
}

/// Of several steps each is one.
#[test]
fn a_clock_that_is_set_back_again_and_again_gives_the_rate() {
    let (store, clock) = setup();
    let bucket = bucket(&SIXTY[0], 1);
    let mut allowed = 0;
    for second in 0..600 {
        if second % 20 == 0 {
            let back = clock.now_micros() - HOUR;
            clock.set(Duration::from_micros(back));
        }
        while store.decide_one(&bucket, 1).allowed {
            allowed += 1;
        }
        clock.advance(Duration::from_secs(1));
    }
    // The second before each step cannot be told from the step.
    assert!((60 + 560..=60 + 600).contains(&allowed), "{allowed}");
}

/// A refund is of an instant in the time of the bucket, whatever the clock has shown since.
#[test]
fn what_was_taken_before_a_step_is_given_back_after_it() {
    for policy in &SIXTY {
        let (store, clock) = setup();
        let bucket = bucket(policy, 1);
        let taken = store.decide_one(&bucket, 60);
        clock.set(Duration::from_micros(START - HOUR));
        let after = store.give_back(&bucket, 60, &taken);
        assert_eq!(after.remaining, 60, "{policy:?}");
    }
}

/// The state that a bucket begins with is of the clock's time, and not of the bucket's.
#[test]
fn a_bucket_that_begins_after_a_step_begins_with_what_was_used() {
    for back in [0, SECOND, HOUR] {
        for policy in &SIXTY {
            let (store, clock) = setup();
            // One shard, so that the bucket's time is ahead of the clock before it begins.
            let store = store.with_capacity(10);
            assert!(store.decide_one(&bucket(policy, 1), 1).allowed);
            clock.set(Duration::from_micros(START - back));
            let new = bucket(policy, 2);
            let full_at = clock.now_micros() + 60 * SECOND;
            let state = State::remembered(policy.algorithm(), &new.quota(), 0, full_at);
            store.begin(&new, state);
            // What is swept when others come has expired in the bucket's time.
            for other in 3..9 {
                assert!(store.decide_one(&self::bucket(policy, other), 1).allowed);
            }
            let rejected = store.decide_one(&new, 60);
            assert!(!rejected.allowed, "{policy:?}, {back}: it begins full");
            let wait = rejected.retry_after.expect("it fits");
            assert_eq!(wait, Duration::from_secs(60), "{policy:?}, {back}");
            assert_eq!(rejected.remaining, 0);
        }
    }
}

#[test]
fn what_expires_in_a_stepped_time_is_swept() {
    let (store, clock) = setup();
    for client in 0..2_000 {
        let _ = store.decide_one(&bucket(&SIXTY[2], client), 1);
    }
    clock.set(Duration::from_micros(START - HOUR));
    for client in 0..2_000 {
        let _ = store.decide_one(&bucket(&SIXTY[2], client), 1);
    }
    clock.advance(Duration::from_secs(60));
    for client in 2_000..4_000 {
        let _ = store.decide_one(&bucket(&SIXTY[2], client), 1);
    }
    assert!(store.len() < 2_500, "{} are left", store.len());
}
