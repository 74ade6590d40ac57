//! One truth: the arithmetic, the memory store and the Lua scripts take the same decisions.

use std::time::Duration;

use ratelimit::{
    Algorithm, Bucket, Charge, Decision, ManualClock, MemoryStore, Quota, Store, algorithm::State,
};
use ratelimit_tests::{ALGORITHMS, Random, RedisServer, bucket, policy};

/// Clients that are checked side by side, so that the test waits less for round trips.
const CLIENTS: u32 = 32;
const ROUNDS: usize = 750;

/// A bucket, and how it should be in each store. In Redis its time steps back when the clock does, and
/// in memory it does not.
struct Client {
    bucket: Bucket,
    redis: Model,
    memory: Model,
    memory_time: u64,
}

/// A state as it should be, and what was last allowed.
struct Model {
    state: State,
    taken: Option<(u32, Decision)>,
}

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

impl Model {
    fn new(algorithm: Algorithm) -> Self {
        Self {
            state: State::new(algorithm),
            taken: None,
        }
    }

    /// This act, or a refund of what was last allowed here instead, if anything was.
    fn refund_or(&self, act: Act, refunds: bool) -> Act {
        match self.taken {
            Some((cost, taken)) if refunds => Act::Refund(cost, taken),
            _ => act,
        }
    }

    fn decide(&mut self, act: Act, quota: &Quota, now: u64) -> Decision {
        match act {
            Act::Check(cost) => {
                let decision = self.state.check(quota, cost, now);
                if decision.allowed {
                    self.taken = Some((cost, decision));
                }
                decision
            }
            Act::Charge(cost) => self.state.charge(quota, cost, now),
            Act::Refund(cost, taken) => self.state.refund(quota, cost, taken.at_micros, now),
        }
    }
}

fn quotas(algorithm: Algorithm) -> [Quota; 7] {
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
        // A log that is mostly too long for a string.
        bursty(Quota::new(5_000, Duration::from_millis(5)), 2_000),
        bursty(Quota::new(131_072, Duration::from_secs(1)), 131_072),
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
        .map(|n| Client {
            bucket: bucket(policy, n),
            redis: Model::new(algorithm),
            memory: Model::new(algorithm),
            memory_time: 0,
        })
        .collect();

    let mut random = Random::new(seed);
    let (mut now, mut decisions, mut denials) = (1_764_000_000_000_000, 0, 0);
    let mut has_stepped_back = false;
    for round in 0..ROUNDS {
        let before = now;
        now = step(&mut random, &quota, now);
        has_stepped_back |= now < before;
        clock.set(Duration::from_micros(now));
        let acts: Vec<(Act, bool)> = clients
            .iter()
            .map(|_| act(&mut random, &quota, algorithm))
            .collect();
        let answers: Vec<_> = clients
            .iter()
            .zip(&acts)
            .map(|(client, &(act, refunds))| {
                let act = client.redis.refund_or(act, refunds);
                let (redis, bucket) = (redis.clone(), client.bucket);
                tokio::spawn(async move { (act, act.on(&redis, &bucket).await) })
            })
            .collect();
        for ((client, (act, refunds)), answer) in clients.iter_mut().zip(acts).zip(answers) {
            let bucket = client.bucket;
            let at = format!("{algorithm:?} {quota:?} seed {seed} round {round} {act:?} {bucket}");

            let act = client.memory.refund_or(act, refunds);
            let decision = act.on(&memory, &bucket).await;
            let time = if has_stepped_back {
                decision.at_micros
            } else {
                now
            };
            let expected = client.memory.decide(act, &quota, time);
            assert_eq!(decision, expected, "memory: {at}");
            assert!(time >= client.memory_time, "memory: {at}");
            client.memory_time = time;

            let (act, decision) = answer.await.expect("no panic");
            let expected = client.redis.decide(act, &quota, now);
            assert_eq!(decision, expected, "Redis: {at}");
            if let Act::Check(_) = act {
                decisions += 1;
                denials += usize::from(!expected.allowed);
            }
        }
    }
    (decisions, denials)
}

/// What is given back of a log is given back later than more was taken, and some of it too late. Requests of
/// one unit come first, and among others.
#[tokio::test]
async fn every_store_gives_back_what_was_taken_from_a_log_some_time_ago() {
    for (seed, limit, ones) in [(1, 100, 3), (2, 1_000, 3), (3, 5_000, 20), (4, 131_072, 1)] {
        let clock = ManualClock::at(Duration::from_secs(1_764_000_000));
        let memory = MemoryStore::new().with_clock(clock.clone());
        let redis = RedisServer::shared()
            .builder()
            .prefix(format!("given_back:{seed}:"))
            .clock(clock.clone())
            .connect()
            .await
            .expect("a redis-server");
        let quota = Quota::new(limit, Duration::from_secs(1));
        let policy = policy("given_back", Algorithm::SlidingWindow, quota);
        let bucket = bucket(policy, 1);
        let mut state = State::new(Algorithm::SlidingWindow);
        let mut random = Random::new(seed);
        let mut now = 1_764_000_000_000_000;
        let mut taken: Vec<(u32, Decision)> = Vec::new();
        let mut refunds = 0;
        for round in 0..4_000 {
            let at = format!("limit {limit} round {round}");
            now += match random.below(6) {
                0 => random.below(20_000),
                1 => 1,
                2 if round % 500 == 499 => 1_500_000,
                _ => 0,
            };
            clock.set(Duration::from_micros(now));
            if random.below(4) == 0 && !taken.is_empty() {
                let n = usize::try_from(random.below(taken.len() as u64)).expect("small");
                let (cost, decision) = taken.swap_remove(n);
                let expected = state.refund(&quota, cost, decision.at_micros, now);
                let refunded = redis.refund(&bucket, cost, &decision).await;
                assert_eq!(refunded.expect("a refund"), expected, "Redis: {at}");
                let refunded = memory.refund(&bucket, cost, &decision).await;
                assert_eq!(refunded.expect("a refund"), expected, "memory: {at}");
                refunds += 1;
                continue;
            }
            let cost = match random.below(ones + 2) {
                0 => 1 + random.below(u64::from(limit) / 10),
                1 => 1 + random.below(10),
                _ => 1,
            };
            let cost = u32::try_from(cost).expect("small");
            let expected = state.check(&quota, cost, now);
            let decision = redis.check(&bucket, cost).await.expect("a decision");
            assert_eq!(decision, expected, "Redis: {at}");
            let decision = memory.check(&bucket, cost).await.expect("a decision");
            assert_eq!(decision, expected, "memory: {at}");
            if decision.allowed {
                taken.push((cost, decision));
            }
            taken.truncate(500);
        }
        assert!(refunds > 500, "{refunds}");
    }
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

/// What is done next, and whether a refund is made instead if it can be.
fn act(random: &mut Random, quota: &Quota, algorithm: Algorithm) -> (Act, bool) {
    let cost = cost(random, algorithm.capacity(quota));
    match random.below(20) {
        0 => (Act::Charge(cost), false),
        1 => (Act::Check(cost), true),
        _ => (Act::Check(cost), false),
    }
}

fn cost(random: &mut Random, capacity: u32) -> u32 {
    match random.below(9) {
        0 => u32::try_from(random.below(u64::from(capacity) + 2)).expect("small"),
        1 => u32::try_from(random.below(1 + u64::from(capacity) / 20)).expect("small"),
        2 => u32::try_from(random.below(4)).expect("small"),
        _ => 1,
    }
}
