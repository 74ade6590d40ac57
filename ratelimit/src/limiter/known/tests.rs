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
