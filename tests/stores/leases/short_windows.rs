//! Buckets that fill again while processes hold slices of them: never more than the limit is
//! admitted, in any order of checks, pauses and cancellations.

use std::collections::HashMap;

use ratelimit::Clock;
use ratelimit_tests::Random;

use super::{losses::polled, *};

const STEPS: usize = 60;

/// A request that was allowed.
struct Admission {
    at: u64,
    cost: u32,
    /// When its bucket has its whole quota again.
    full_at: u64,
}

/// Several processes in the same time, which stands still while they check.
struct Processes {
    clock: ManualClock,
    stores: Vec<RedisStore>,
    admissions: Vec<Admission>,
}

impl Processes {
    async fn new(server: &RedisServer) -> Self {
        let clock = ManualClock::new();
        let mut stores = Vec::new();
        for _ in 0..3 {
            stores.push(still(server, &clock).await);
        }
        Self {
            clock,
            stores,
            admissions: Vec::new(),
        }
    }

    fn add(&mut self, decision: &Decision, cost: u32) {
        if decision.allowed {
            let at = self.clock.now_micros();
            let reset_after = u64::try_from(decision.reset_after.as_micros());
            self.admissions.push(Admission {
                at,
                cost,
                full_at: at + reset_after.expect("a short time"),
            });
        }
    }

    /// One of the things that happen.
    async fn step(&mut self, random: &mut Random, bucket: &Bucket) {
        let per = micros(bucket.quota().per());
        let life = per / 64;
        let n = usize::try_from(random.below(3)).expect("a few");
        let checks = 1 + random.below(30);
        match random.below(10) {
            0..2 => self.check(n, bucket, checks).await,
            2 => self.check_together(n, bucket, checks, random).await,
            3 => self.cancel(n, bucket, random).await,
            4 => self.pause(random.below(2 * life)).await,
            5 => self.pause(random.below(2 * per)).await,
            _ => {
                if random.below(2) == 0 {
                    // The bucket is full, or its window is about to end.
                    self.pause(2 * per).await;
                    self.check(n, bucket, 1).await;
                    self.pause(per - random.below(life)).await;
                }
                // Most comes together when what was held for as long as possible is spent with all
                // that is left, and then all that has come back.
                self.check(n, bucket, checks).await;
                self.pause(life - 1).await;
                self.drain(bucket).await;
                self.pause(per - life + random.below(3)).await;
                self.drain(bucket).await;
            }
        }
    }

    async fn check(&mut self, n: usize, bucket: &Bucket, checks: u64) {
        for _ in 0..checks {
            let decision = self.stores[n].check(bucket, 1).await;
            self.add(&decision.expect("a decision"), 1);
        }
    }

    async fn check_together(
        &mut self,
        n: usize,
        bucket: &Bucket,
        checks: u64,
        random: &mut Random,
    ) {
        let cost = u32::from(random.below(8) == 0) + 1;
        let store = self.stores[n].clone();
        let checks = (0..checks).map(|_| store.check(bucket, cost));
        for decision in join_all(checks).await {
            self.add(&decision.expect("a decision"), cost);
        }
    }

    async fn cancel(&mut self, n: usize, bucket: &Bucket, random: &mut Random) {
        let times = 1 + usize::try_from(random.below(3)).expect("a few");
        if let Some(decision) = polled(times, self.stores[n].check(bucket, 1)).await {
            self.add(&decision.expect("a decision"), 1);
        }
    }

    /// Every process checks until it is rejected.
    async fn drain(&mut self, bucket: &Bucket) {
        for n in 0..self.stores.len() {
            let store = self.stores[n].clone();
            loop {
                let decision = store.check(bucket, 1).await.expect("a decision");
                self.add(&decision, 1);
                if !decision.allowed {
                    break;
                }
            }
        }
    }

    async fn pause(&self, micros: u64) {
        self.clock.advance(Duration::from_micros(micros));
        tokio::task::yield_now().await;
    }

    /// How much was admitted from each of these on, until each of those after it.
    fn sums(&self) -> impl Iterator<Item = (u64, u64)> {
        (0..self.admissions.len()).flat_map(|first| {
            let from = self.admissions[first].at;
            self.admissions[first..].iter().scan(0, move |sum, last| {
                *sum += u64::from(last.cost);
                Some((last.at - from, *sum))
            })
        })
    }

    fn sum(&self) -> u64 {
        let costs = self.admissions.iter().map(|admitted| admitted.cost);
        costs.map(u64::from).sum()
    }

    /// That no more was admitted than the quota says, over any time.
    fn are_within(&self, bucket: &Bucket) {
        let quota = bucket.quota();
        let (limit, per) = (u64::from(quota.limit()), micros(quota.per()));
        match bucket.algorithm() {
            Algorithm::TokenBucket => {
                for (time, sum) in self.sums() {
                    let most = u64::from(quota.burst()) * per + time * limit;
                    assert!(sum * per <= most, "{sum} in {time} us");
                }
            }
            Algorithm::SlidingWindow => {
                for (time, sum) in self.sums().filter(|(time, _)| *time < per) {
                    assert!(sum <= limit, "{sum} in {time} us");
                }
            }
            // A fixed window.
            _ => {
                let mut windows = HashMap::<u64, u64>::new();
                for Admission { at, cost, full_at } in &self.admissions {
                    let window = full_at - per..*full_at;
                    assert!(window.contains(at), "{at} is in {window:?}");
                    *windows.entry(*full_at).or_default() += u64::from(*cost);
                }
                for sum in windows.into_values() {
                    assert!(sum <= limit, "{sum} in a window");
                }
            }
        }
    }
}

/// Whether of some checks one by one, which are not counted, some are spent from a slice.
async fn is_leased(store: &RedisStore, server: &RedisServer, bucket: &Bucket) -> bool {
    let before = server.calls("evalsha").await;
    hammer(store, *bucket, 1, 16).await;
    let calls = server.calls("evalsha").await - before;
    store.reset(bucket).await.expect("a new bucket");
    calls < 16
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a short time")
}

#[tokio::test]
async fn in_short_windows_processes_that_lease_admit_no_more_than_the_limit() {
    let server = RedisServer::start();
    for seed in 1..=4 {
        let random = &mut Random::new(seed);
        for algorithm in ALGORITHMS {
            let limit = 32 + u32::try_from(random.below(200)).expect("a limit");
            let per = Duration::from_millis(400 + random.below(4_000));
            let policy = policy(&format!("short {seed}"), algorithm, Quota::new(limit, per));
            let bucket = bucket(policy, 1);
            let mut processes = Processes::new(&server).await;
            assert!(is_leased(&processes.stores[0], &server, &bucket).await);
            for _ in 0..STEPS {
                processes.step(random, &bucket).await;
            }
            processes.are_within(&bucket);
            // It was filled several times meanwhile.
            let sum = processes.sum();
            assert!(
                sum > 5 * u64::from(limit),
                "{algorithm:?}: {sum} of {limit}"
            );
        }
    }
}
