//! One truth: the arithmetic, the memory store and the Lua scripts take the same decisions.

use std::time::Duration;

use ratelimit::{
    Algorithm, Bucket, Charge, Decision, ManualClock, MemoryStore, Quota, Store, algorithm::State,
};
use ratelimit_tests::{ALGORITHMS, Random, RedisServer, bucket, policy};

/// Clients that are checked side by side, so that the test waits less for round trips.
const CLIENTS: u32 = 32;
const ROUNDS: usize = 750;

/// A bucket, its state as it should be, and what it was last admitted with.
type Client = (Bucket, State, Option<(u32, Decision)>);

/// What is done to a bucket.
#[derive(Clone, Copy, Debug)]
enum Act {
    Check(u32),
    Charge(u32),
    Refund(u32, Decision),
}

impl Act {
    async fn on(self, store: &impl Store, bucket: &Bucket) -> Decision {
        match self {
            Self::Check(cost) => store.check(bucket, cost).await,
            Self::Charge(cost) => store.charge(bucket, cost).await,
            Self::Refund(cost, taken) => store.refund(bucket, cost, &taken).await,
        }
        .expect("the store answers")
    }
}

fn quotas(algorithm: Algorithm) -> [Quota; 5] {
    let bursty = |quota: Quota, burst| match algorithm {
        Algorithm::TokenBucket => quota.with_burst(burst),
        _ => quota,
    };
    [
        bursty(Quota::per_minute(60), 20),
        bursty(Quota::per_minute(7), 30),
        bursty(Quota::new(3, Duration::from_micros(10)), 1),
        bursty(Quota::new(1, Duration::from_secs(86_400)), 2),
        bursty(Quota::new(700, Duration::from_millis(1)), 300),
    ]
}

#[tokio::test]
async fn every_store_decides_alike() {
    for algorithm in ALGORITHMS {
        let mut decisions = 0;
        let mut denials = 0;
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let (decided, denied) = compare(algorithm, quota, seed).await;
            decisions += decided;
            denials += denied;
        }
        assert!(decisions >= 100_000, "{algorithm:?}: {decisions}");
        assert!(
            denials * 10 > decisions && denials * 10 < decisions * 9,
            "{algorithm:?}: {denials} denials in {decisions} decisions say little"
        );
    }
}

/// Runs one random trace through all of them; how many decisions and how many denials it had.
async fn compare(algorithm: Algorithm, quota: Quota, seed: u64) -> (usize, usize) {
    let clock = ManualClock::at(Duration::from_secs(1_764_000_000));
    let memory = MemoryStore::new().with_clock(clock.clone());
    let redis = RedisServer::shared()
        .builder()
        .prefix(format!("differential:{}:{seed}:", algorithm.name()))
        .clock(clock.clone())
        .connections(1)
        .connect()
        .await
        .expect("a redis-server");
    let policy = policy("differential", algorithm, quota);
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|n| (bucket(policy, n), State::new(algorithm), None))
        .collect();

    let mut random = Random::new(seed);
    let (mut now, mut decisions, mut denials) = (1_764_000_000_000_000, 0, 0);
    for round in 0..ROUNDS {
        now = step(&mut random, &quota, now);
        clock.set(Duration::from_micros(now));
        let acts: Vec<Act> = clients
            .iter()
            .map(|(_, _, taken)| act(&mut random, &quota, algorithm, *taken))
            .collect();
        let answers: Vec<_> = clients
            .iter()
            .zip(&acts)
            .map(|((bucket, ..), act)| {
                let (redis, bucket, act) = (redis.clone(), *bucket, *act);
                tokio::spawn(async move { act.on(&redis, &bucket).await })
            })
            .collect();
        for (((bucket, state, taken), act), answer) in clients.iter_mut().zip(acts).zip(answers) {
            let expected = match act {
                Act::Check(cost) => state.check(&quota, cost, now),
                Act::Charge(cost) => state.charge(&quota, cost, now),
                Act::Refund(cost, taken) => state.refund(&quota, cost, taken.at_micros, now),
            };
            let at = format!("{algorithm:?} {quota:?} seed {seed} round {round} {act:?} {bucket}");
            assert_eq!(act.on(&memory, bucket).await, expected, "memory: {at}");
            assert_eq!(answer.await.expect("no panic"), expected, "Redis: {at}");
            if let Act::Check(cost) = act {
                decisions += 1;
                denials += usize::from(!expected.allowed);
                if expected.allowed {
                    *taken = Some((cost, expected));
                }
            }
        }
    }
    (decisions, denials)
}

/// Requests that are charged to a bucket of each algorithm at once, and to one that has no say.
#[tokio::test]
async fn every_store_takes_from_all_buckets_or_from_none() {
    let clock = ManualClock::at(Duration::from_secs(1_764_000_000));
    let memory = MemoryStore::new().with_clock(clock.clone());
    let redis = RedisServer::shared()
        .builder()
        .prefix("all_or_none:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let quota = |limit| Quota::new(limit, Duration::from_millis(10));
    let mut states: Vec<(Bucket, State)> = [
        ("tokens", Algorithm::TokenBucket, quota(20).with_burst(7)),
        ("sliding", Algorithm::SlidingWindow, quota(15)),
        ("fixed", Algorithm::FixedWindow, quota(12)),
        ("shadow", Algorithm::SlidingWindow, quota(5)),
    ]
    .into_iter()
    .map(|(name, algorithm, quota)| {
        let bucket = bucket(policy(name, algorithm, quota), 1);
        (bucket, State::new(algorithm))
    })
    .collect();

    let mut random = Random::new(7);
    let mut now = 1_764_000_000_000_000;
    let (mut admissions, mut denials) = (0, 0);
    for round in 0..10_000 {
        now += random.below(3_000);
        clock.set(Duration::from_micros(now));
        let charges: Vec<Charge> = states
            .iter()
            .enumerate()
            .map(|(n, (bucket, _))| Charge {
                bucket: *bucket,
                cost: u32::try_from(random.below(4)).expect("small"),
                enforced: n < 3,
            })
            .collect();
        let seen: Vec<Decision> = states
            .iter()
            .zip(&charges)
            .map(|((bucket, state), charge)| state.peek(&bucket.quota(), charge.cost, now))
            .collect();
        let admitted = seen[..3].iter().all(|seen| seen.allowed);
        let expected: Vec<Decision> = states
            .iter_mut()
            .zip(&charges)
            .zip(seen)
            .map(|(((bucket, state), charge), seen)| {
                if admitted {
                    state.check(&bucket.quota(), charge.cost, now)
                } else {
                    seen
                }
            })
            .collect();
        let from_memory = memory.check_all(&charges).await.expect("memory answers");
        assert_eq!(from_memory, expected, "memory: round {round}");
        let from_redis = redis.check_all(&charges).await.expect("Redis answers");
        assert_eq!(from_redis, expected, "Redis: round {round}");
        admissions += usize::from(admitted);
        denials += usize::from(!admitted);
    }
    assert!(
        admissions > 1_000 && denials > 1_000,
        "{admissions} admissions, {denials} denials"
    );
}

/// Mostly about the time in which a request is earned; also none, a microsecond, several windows,
/// and now and then some time back.
fn step(random: &mut Random, quota: &Quota, now: u64) -> u64 {
    let per = u64::try_from(quota.per().as_micros()).expect("short");
    let earned = per.div_ceil(u64::from(quota.limit()));
    match random.below(20) {
        0 => now + random.below(4 * per),
        1 => now - random.below(2 * per),
        2..=4 => now,
        5..=7 => now + 1,
        _ => now + random.below(4 * earned + 2),
    }
}

fn act(
    random: &mut Random,
    quota: &Quota,
    algorithm: Algorithm,
    taken: Option<(u32, Decision)>,
) -> Act {
    let cost = cost(random, algorithm.capacity(quota));
    match (random.below(20), taken) {
        (0, _) => Act::Charge(cost),
        (1, Some((cost, taken))) => Act::Refund(cost, taken),
        _ => Act::Check(cost),
    }
}

fn cost(random: &mut Random, capacity: u32) -> u32 {
    match random.below(8) {
        0 => u32::try_from(random.below(u64::from(capacity) + 2)).expect("small"),
        1 => u32::try_from(random.below(4)).expect("small"),
        _ => 1,
    }
}
