//! One truth: the arithmetic, the memory store and the Lua scripts take the same decisions.

use std::time::Duration;

use ratelimit::{
    Algorithm, Bucket, ManualClock, MemoryStore, Quota, RedisStore, Store, algorithm::State,
};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, policy};

/// Clients that are checked side by side, so that the test waits less for round trips.
const CLIENTS: u32 = 32;
const ROUNDS: usize = 650;

/// A small generator, so that a failing trace can be had again from its seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
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
    let redis = RedisStore::builder(RedisServer::shared().url())
        .prefix(format!("differential:{}:{seed}:", algorithm.name()))
        .clock(clock.clone())
        .timeout(Duration::from_secs(10))
        .connections(1)
        .connect()
        .await
        .expect("a redis-server");
    let policy = policy("differential", algorithm, quota);
    let mut clients: Vec<(Bucket, State)> = (0..CLIENTS)
        .map(|n| (bucket(policy, n), State::new(algorithm)))
        .collect();

    let mut random = Random(seed);
    let (mut now, mut decisions, mut denials) = (1_764_000_000_000_000, 0, 0);
    for round in 0..ROUNDS {
        now = step(&mut random, &quota, now);
        clock.set(Duration::from_micros(now));
        let costs: Vec<u32> = clients
            .iter()
            .map(|_| cost(&mut random, algorithm.capacity(&quota)))
            .collect();
        let answers: Vec<_> = clients
            .iter()
            .zip(&costs)
            .map(|((bucket, _), &cost)| {
                let (redis, bucket) = (redis.clone(), *bucket);
                tokio::spawn(async move { redis.check(&bucket, cost).await })
            })
            .collect();
        for (((bucket, state), cost), answer) in clients.iter_mut().zip(costs).zip(answers) {
            let expected = state.check(&quota, cost, now);
            let at =
                format!("{algorithm:?} {quota:?} seed {seed} round {round} cost {cost} {bucket}");
            let from_memory = memory.check(bucket, cost).await.expect("memory answers");
            assert_eq!(from_memory, expected, "memory: {at}");
            let from_redis = answer.await.expect("no panic").expect("Redis answers");
            assert_eq!(from_redis, expected, "Redis: {at}");
            decisions += 1;
            denials += usize::from(!expected.allowed);
        }
    }
    (decisions, denials)
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

fn cost(random: &mut Random, capacity: u32) -> u32 {
    match random.below(8) {
        0 => u32::try_from(random.below(u64::from(capacity) + 2)).expect("small"),
        1 => u32::try_from(random.below(4)).expect("small"),
        _ => 1,
    }
}
