//! A store holds as many clients as its capacity says, however their keys fall on its shards.

use super::*;

const CAPACITIES: [usize; 11] = [1, 2, 3, 7, 31, 32, 33, 100, 1_000, 4_095, 65_536];

/// Each makes other clients of the numbers from 0 on, no two of which are the same.
const SEEDS: [u32; 3] = [0x9E37_79B1, 0x85EB_CA6B, 0xC2B2_AE35];

static ONCE: &[Tier] = &[Tier::new("free", Quota::per_hour(1))];
static ONCE_EACH: [Policy; 3] = [
    Policy::new("tokens", Algorithm::TokenBucket, ONCE),
    Policy::new("sliding", Algorithm::SlidingWindow, ONCE),
    Policy::new("fixed", Algorithm::FixedWindow, ONCE),
];

fn clients(count: usize, seed: u32) -> impl Iterator<Item = Bucket> {
    (0..count).map(move |n| {
        let number = u32::try_from(n).expect("fewer than 2^32");
        bucket(&ONCE_EACH[n % 3], number.wrapping_mul(seed))
    })
}

fn store(capacity: usize) -> MemoryStore {
    let store = MemoryStore::new().with_clock(ManualClock::new());
    store.with_capacity(capacity)
}

#[test]
fn none_of_as_many_clients_as_the_capacity_is_forgotten() {
    for capacity in CAPACITIES {
        // Of a large store one seed is as good as several.
        let seeds = if capacity > 10_000 { 1 } else { SEEDS.len() };
        for &seed in &SEEDS[..seeds] {
            let store = store(capacity);
            let allowed = || {
                let is_allowed = |bucket: &Bucket| store.decide_one(bucket, 1).allowed;
                clients(capacity, seed).filter(is_allowed).count()
            };
            assert_eq!(allowed(), capacity);
            assert_eq!(allowed(), 0, "forgotten of {capacity}");
            assert_eq!(store.len(), capacity);
        }
    }
}

#[test]
fn a_flood_makes_it_hold_at_most_a_sixteenth_more() {
    for capacity in CAPACITIES.into_iter().filter(|&capacity| capacity < 10_000) {
        for seed in SEEDS {
            let store = store(capacity);
            for bucket in clients(capacity * 5 + 100, seed) {
                assert!(store.decide_one(&bucket, 1).allowed);
                assert!(store.capacity.held() <= capacity + capacity / 16);
            }
            assert!(store.len() >= capacity, "it makes use of the room it has");
            assert_eq!(store.len(), store.capacity.held());
        }
    }
}

#[test]
fn threads_at_once_fill_it_without_forgetting_a_client() {
    const THREADS: usize = 8;
    let store = store(4_000);
    let all: Vec<Bucket> = clients(4_000, SEEDS[1]).collect();
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let of_thread = all.iter().skip(n).step_by(THREADS);
            let store = &store;
            scope.spawn(move || {
                for bucket in of_thread {
                    assert!(store.decide_one(bucket, 1).allowed);
                }
            });
        }
    });
    assert!(
        all.iter()
            .all(|bucket| !store.decide_one(bucket, 1).allowed)
    );
    assert_eq!((store.capacity.held(), store.len()), (4_000, 4_000));
}

/// A count that drifted would in time leave no room, or no bound.
#[test]
fn buckets_are_counted_however_they_come_and_go() {
    let clock = ManualClock::new();
    let store = MemoryStore::new()
        .with_capacity(300)
        .with_clock(clock.clone());
    let all: Vec<Bucket> = clients(2_000, SEEDS[0]).collect();
    for (n, bucket) in all.iter().cycle().take(20_000).enumerate() {
        match n % 7 {
            0 => store.forget(bucket),
            1 => drop(store.take(bucket, 1)),
            2 => store.begin(
                bucket,
                State::remembered(
                    bucket.algorithm(),
                    &bucket.quota(),
                    0,
                    clock.now_micros() + 60_000_000,
                ),
            ),
            3 => {
                let taken = store.decide_one(bucket, 1);
                let _ = store.give_back(bucket, 1, &taken);
            }
            _ => drop(store.decide_one(bucket, 1)),
        }
        if n % 100 == 0 {
            // In some of these steps everything expires, and in some nothing does.
            clock.advance(Duration::from_secs(n as u64 % 4_000));
        }
        assert_eq!(store.len(), store.capacity.held());
    }
    for bucket in &all {
        store.forget(bucket);
    }
    assert_eq!((store.len(), store.capacity.held()), (0, 0));
}

#[test]
fn a_shard_without_buckets_holds_one_too_many() {
    let store = store(32);
    let of_shard = |shard: usize| {
        let all = clients(1_000, SEEDS[0]);
        all.filter(|bucket| store.place(bucket).shard == shard)
            .collect::<Vec<_>>()
    };
    let [first, second] = [0, 1].map(of_shard);
    for bucket in &first[..32] {
        assert!(store.decide_one(bucket, 1).allowed);
    }
    for bucket in &second[..5] {
        assert!(store.decide_one(bucket, 1).allowed);
        assert!(!store.decide_one(bucket, 1).allowed, "it is held");
        assert_eq!((store.capacity.held(), store.len()), (33, 33));
    }
}

#[test]
fn a_capacity_of_0_is_1() {
    let store = store(0);
    let [first, second] = [1, 2].map(|client| bucket(&ONCE_EACH[2], client));
    assert!(store.decide_one(&first, 1).allowed);
    assert!(!store.decide_one(&first, 1).allowed);
    assert!(store.decide_one(&second, 1).allowed);
    assert_eq!(store.len(), 1);
}

/// A store for a few needs no more locks than it has buckets to lose, one for many has no shard that
/// is long in growing, and one for more than there can be is not refused.
#[test]
fn shards_are_neither_empty_nor_large() {
    for (capacity, shards) in [
        (0, 1),
        (1, 1),
        (31, 1),
        (32, 2),
        (100, 4),
        (1_000, 32),
        (1_024, 64),
        (524_288, 64),
        (524_289, 128),
        (1_000_000, 128),
        (usize::MAX, 1 << 16),
    ] {
        assert_eq!(super::super::shards(capacity).len(), shards, "{capacity}");
    }
}
