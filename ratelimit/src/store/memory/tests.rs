mod capacity;
mod clock_steps;
mod eviction;

use std::time::Duration;

use super::*;
use crate::{
    client::ClientId,
    clock::ManualClock,
    policy::{Algorithm, Policy, Quota, Tier},
};

static FREE: &[Tier] = &[Tier::new("free", Quota::per_minute(5))];
static POLICIES: [Policy; 3] = [
    Policy::new("tokens", Algorithm::TokenBucket, FREE),
    Policy::new("sliding", Algorithm::SlidingWindow, FREE),
    Policy::new("fixed", Algorithm::FixedWindow, FREE),
];

fn bucket(policy: &'static Policy, client: u32) -> Bucket {
    let client = ClientId::ip(std::net::Ipv4Addr::from(client).into());
    Bucket::new(policy, policy.default_tier(), client).expect("a limited tier")
}

#[test]
fn clients_and_policies_do_not_share() {
    let store = MemoryStore::new().with_clock(ManualClock::new());
    for policy in &POLICIES {
        for client in 0..100 {
            for n in 0..7 {
                let decision = store.decide_one(&bucket(policy, client), 1);
                assert_eq!(decision.allowed, n < 5, "{policy:?} {client} {n}");
            }
        }
    }
    assert_eq!(store.len(), 300);
}

#[test]
fn it_holds_no_more_than_its_capacity() {
    let clock = ManualClock::new();
    let store = MemoryStore::new()
        .with_capacity(6_400)
        .with_clock(clock.clone());
    for client in 0..100_000 {
        let _ = store.decide_one(&bucket(&POLICIES[client as usize % 3], client), 1);
        assert!(store.len() <= 6_400 || client % 1_000 != 0);
    }
    assert!(store.len() <= 6_400);
    assert!(store.len() > 6_000, "it makes use of the room it has");
}

#[test]
fn what_has_expired_goes_as_new_comes() {
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    for client in 0..20_000 {
        let _ = store.decide_one(&bucket(&POLICIES[0], client), 1);
    }
    assert_eq!(store.len(), 20_000);
    clock.advance(Duration::from_secs(60));
    for client in 20_000..40_000 {
        let _ = store.decide_one(&bucket(&POLICIES[0], client), 1);
    }
    assert!(store.len() < 21_000, "{} are left", store.len());
}

#[test]
fn who_has_used_most_is_kept_longest() {
    let store = MemoryStore::new()
        .with_capacity(6_400)
        .with_clock(ManualClock::new());
    let greedy = bucket(&POLICIES[0], u32::MAX);
    for _ in 0..5 {
        assert!(store.decide_one(&greedy, 1).allowed);
    }
    for client in 0..100_000 {
        let _ = store.decide_one(&bucket(&POLICIES[0], client), 1);
    }
    assert!(
        !store.decide_one(&greedy, 1).allowed,
        "a flood of new clients gave the old one its quota back"
    );
}

#[test]
fn a_look_leaves_nothing_behind() {
    let store = MemoryStore::new().with_clock(ManualClock::new());
    for policy in &POLICIES {
        let bucket = bucket(policy, 1);
        assert!(store.decide_one(&bucket, 0).allowed);
        assert!(store.take(&bucket, 0).allowed);
        assert!(!store.decide_one(&bucket, 6).allowed);
        assert!(store.is_empty());
    }
}

#[test]
fn a_bucket_that_begins_has_no_more_than_there_was_and_keeps_what_it_had_less() {
    for policy in &POLICIES {
        for (used_here, left_elsewhere, left) in [(1, 2, 2), (4, 2, 1), (0, 3, 3)] {
            let clock = ManualClock::new();
            let store = MemoryStore::new().with_clock(clock.clone());
            let bucket = bucket(policy, 1);
            assert!(store.decide_one(&bucket, used_here).allowed);
            let full_at = clock.now_micros() + 12_000_000 * u64::from(5 - left_elsewhere);
            let full_at = match policy.algorithm() {
                Algorithm::TokenBucket => full_at,
                _ => clock.now_micros() + 60_000_000,
            };
            let quota = bucket.quota();
            let state = State::remembered(policy.algorithm(), &quota, left_elsewhere, full_at);
            store.begin(&bucket, state);
            let remaining = store.decide_one(&bucket, 0).remaining;
            assert_eq!(remaining, left, "{policy:?}");
        }
    }
}

#[test]
fn tasks_admit_exactly_the_limit_together() {
    static LIMIT: u32 = 1_000;
    static TIERS: &[Tier] = &[Tier::new("free", Quota::per_hour(LIMIT))];
    static POLICIES: [Policy; 3] = [
        Policy::new("tokens", Algorithm::TokenBucket, TIERS),
        Policy::new("sliding", Algorithm::SlidingWindow, TIERS),
        Policy::new("fixed", Algorithm::FixedWindow, TIERS),
    ];
    let store = MemoryStore::new().with_clock(ManualClock::new());
    for policy in &POLICIES {
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        (0..50)
                            .filter(|_| store.decide_one(&bucket(policy, 1), 1).allowed)
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(admitted, LIMIT as usize, "{policy:?}");
    }
}
