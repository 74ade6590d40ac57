//! Leases: never more than the limit, whoever holds slices and however they end, and nearly all of
//! it, with few calls.

mod losses;
mod short_windows;

use std::{
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ratelimit::{
    Algorithm, Bucket, Charge, Decision, ManualClock, Policy, Quota, RateLimiter, RedisStore,
    Store, StoreError,
};
use ratelimit_tests::{ALGORITHMS, Guarded, RedisServer, bucket, eventually, one_bucket, policy};

/// Long enough for nothing to be earned while a test runs.
const LONG: Duration = Duration::from_secs(300 * 86_400);

/// What another process would have: a store with slices of its own.
async fn store(server: &RedisServer) -> RedisStore {
    let builder = server.builder().leases();
    let store = builder.connect().await;
    store.expect("a redis-server")
}

/// The same in which no time passes, so that no slice ends. Its clones have the same slices, and
/// another of it has its own.
async fn still(server: &RedisServer, clock: &ManualClock) -> RedisStore {
    let builder = server.builder().leases();
    let builder = builder.clock(clock.clone());
    let store = builder.connect().await;
    store.expect("a redis-server")
}

/// How many are admitted of so many requests by so many tasks.
async fn hammer(store: &RedisStore, bucket: Bucket, tasks: usize, requests: usize) -> u32 {
    let task = |_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut admitted = 0;
            for _ in 0..requests {
                let decision = store.check(&bucket, 1).await.expect("a decision");
                admitted += u32::from(decision.allowed);
                tokio::task::yield_now().await;
            }
            admitted
        })
    };
    let counts = join_all((0..tasks).map(task)).await.into_iter();
    counts.map(|count| count.expect("no panic")).sum()
}

/// What a bucket holds that is kept for leases: a 64th of the burst is held back.
fn held(bucket: &Bucket) -> u32 {
    match bucket.algorithm() {
        // A life is a second, in which less than one token is earned.
        Algorithm::TokenBucket => bucket.quota().limit() - 1,
        _ => bucket.quota().limit(),
    }
}

/// What is left beside what is in slices, as a store says that has none.
async fn left(observer: &RedisStore, bucket: Bucket) -> u32 {
    let look = observer.check(&bucket, 0).await;
    look.expect("a decision").remaining
}

/// Whether all that was not spent is back in Redis.
async fn all_is_back(observer: &RedisStore, bucket: Bucket, admitted: u32) -> bool {
    left(observer, bucket).await == held(&bucket) - admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_admit_all_there_is_and_no_more_in_few_calls() {
    const LIMIT: u32 = 20_000;
    for algorithm in ALGORITHMS {
        let server = RedisServer::start();
        let observer = store(&server).await;
        let bucket = bucket(policy("leased", algorithm, Quota::new(LIMIT, LONG)), 1);
        let stores = [
            store(&server).await,
            store(&server).await,
            store(&server).await,
        ];
        let hammers = stores.iter().map(|store| hammer(store, bucket, 32, 150));
        let mut admitted: u32 = join_all(hammers).await.into_iter().sum();
        assert_eq!(admitted, 3 * 32 * 150, "{algorithm:?}");
        let calls = server.calls("evalsha").await;
        assert!(calls < 1_000, "{algorithm:?}: {calls} calls");

        // More than is left, so that they vie for the last of it; what one holds at its end goes
        // back, and is there for whoever comes.
        let hammers = stores.iter().map(|store| hammer(store, bucket, 32, 100));
        admitted += join_all(hammers).await.into_iter().sum::<u32>();
        assert!(admitted <= held(&bucket), "{algorithm:?}: {admitted}");
        eventually("what was not spent", || {
            all_is_back(&observer, bucket, admitted)
        })
        .await;
        admitted += hammer(&stores[0], bucket, 1, LIMIT as usize / 4).await;
        assert_eq!(admitted, held(&bucket), "{algorithm:?}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_slice_goes_back_at_its_end() {
    let server = RedisServer::start();
    let observer = store(&server).await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("ended", algorithm, Quota::new(6_000, LONG)), 1);
        let store = store(&server).await;
        let mut admitted = 0;
        while left(&observer, bucket).await == held(&bucket) - admitted {
            admitted += hammer(&store, bucket, 1, 5).await;
        }
        eventually("the rest", || all_is_back(&observer, bucket, admitted)).await;
    }
}

#[tokio::test]
async fn at_the_end_of_the_process_all_goes_back_at_once() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    let (store, observer) = (still(&server, &clock).await, still(&server, &clock).await);
    let limiter = RateLimiter::builder().store(store.clone()).build();
    let limiter = limiter.expect("a limiter");
    let quota = Quota::new(6_000, LONG);
    let buckets: Vec<Bucket> = (0..99)
        .zip(ALGORITHMS.into_iter().cycle())
        .map(|(n, algorithm)| bucket(policy("returned", algorithm, quota), n))
        .collect();
    for bucket in &buckets {
        assert_eq!(hammer(&store, *bucket, 1, 40).await, 40);
    }
    let look = || join_all(buckets.iter().map(|bucket| left(&observer, *bucket)));
    let taken = |left: Vec<u32>| -> u32 {
        let taken = left.iter().zip(&buckets);
        taken.map(|(left, bucket)| held(bucket) - left).sum()
    };
    assert!(taken(look().await) > 40 * 99, "slices are out");
    limiter.give_back_leases().await;
    assert_eq!(taken(look().await), 40 * 99);
    // It is no end of the leases: who is asked again takes another.
    assert_eq!(hammer(&store, buckets[0], 1, 40).await, 40);
}

#[tokio::test]
async fn the_last_requests_are_told_of_as_they_are() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("told", algorithm, Quota::new(600, LONG)), 1);
        let store = still(&server, &clock).await;
        for left in (0..held(&bucket)).rev() {
            let decision = store.check(&bucket, 1).await.expect("a decision");
            assert!(decision.allowed, "{algorithm:?} {left}");
            assert_eq!(decision.remaining, left, "{algorithm:?}");
            assert!(decision.retry_after.is_none());
            assert!(decision.reset_after > Duration::ZERO);
        }
        let denied = store.check(&bucket, 1).await.expect("a decision");
        assert!(!denied.allowed);
        assert!(denied.retry_after.is_some(), "{algorithm:?}");
        store.reset(&bucket).await.expect("forgotten");
        let fresh = store.check(&bucket, 0).await.expect("a decision");
        assert_eq!(fresh.remaining, held(&bucket));
    }
}

#[tokio::test]
async fn a_reset_forgets_the_slice_as_well() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("reset", algorithm, Quota::new(6_000, LONG)), 1);
        let store = still(&server, &clock).await;
        hammer(&store, bucket, 1, 40).await;
        store.reset(&bucket).await.expect("forgotten");
        let first = store.check(&bucket, 1).await.expect("a decision");
        assert_eq!(first.remaining, held(&bucket) - 1, "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_refund_is_there_for_the_next() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("refunded", algorithm, Quota::new(6_000, LONG)), 1);
        let store = still(&server, &clock).await;
        for n in 0..100 {
            let taken = store.check(&bucket, 1).await.expect("a decision");
            let expected = held(&bucket) - n / 2 - 1;
            assert_eq!(taken.remaining, expected, "{algorithm:?} {n}");
            if n % 2 == 0 {
                let now = store.refund(&bucket, 1, &taken).await.expect("given back");
                assert_eq!(now.remaining, expected + 1, "{algorithm:?} {n}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_refunded_to_a_slice_that_was_spent_goes_back_at_its_end() {
    let server = RedisServer::start();
    for algorithm in ALGORITHMS {
        let clock = ManualClock::new();
        let store = still(&server, &clock).await;
        let observer = still(&server, &clock).await;
        let bucket = bucket(policy("spent", algorithm, Quota::new(6_000, LONG)), 1);
        // To the last of a slice: the next request would take another.
        let mut taken = store.check(&bucket, 1).await.expect("a decision");
        let mut admitted = 1;
        while admitted < 40 || left(&observer, bucket).await != held(&bucket) - admitted {
            taken = store.check(&bucket, 1).await.expect("a decision");
            admitted += 1;
        }
        // Whoever looks after slices has seen that nothing is left of this one.
        for _ in 0..5 {
            clock.advance(Duration::from_millis(60));
            tokio::task::yield_now().await;
        }
        store.refund(&bucket, 1, &taken).await.expect("given back");
        eventually("what was given back", || async {
            clock.advance(Duration::from_millis(200));
            tokio::task::yield_now().await;
            left(&observer, bucket).await > held(&bucket) - admitted
        })
        .await;
    }
}

/// A charge that has a say.
fn charge(bucket: Bucket, cost: u32) -> Charge {
    Charge {
        bucket,
        cost,
        enforced: true,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_limits_all_are_charged_or_none() {
    let server = RedisServer::start();
    let observer = store(&server).await;
    for algorithm in ALGORITHMS {
        let everybody = bucket(policy("everybody", algorithm, Quota::new(6_000, LONG)), 0);
        // So few that it is never leased.
        let client = policy("client", algorithm, Quota::new(10, LONG));
        let store = store(&server).await;
        let task = |n: u32| {
            let store = store.clone();
            tokio::spawn(async move {
                let charges = [charge(bucket(client, n % 10), 1), charge(everybody, 1)];
                let mut admitted = 0;
                for _ in 0..10 {
                    let decisions = store.check_all(&charges).await.expect("decisions");
                    assert_eq!(decisions.len(), 2);
                    assert!(decisions[1].allowed, "there is enough for everybody");
                    admitted += u32::from(decisions[0].allowed);
                }
                admitted
            })
        };
        let counts = join_all((1..=40_u32).map(task)).await.into_iter();
        let admitted: u32 = counts.map(|count| count.expect("no panic")).sum();
        assert_eq!(admitted, 100, "{algorithm:?}");
        eventually("what was not spent", || {
            all_is_back(&observer, everybody, 100)
        })
        .await;
    }
}

#[tokio::test]
async fn where_a_slice_cannot_be_had_nothing_else_is_charged() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    for algorithm in ALGORITHMS {
        let everybody = bucket(policy("used up", algorithm, Quota::new(16, LONG)), 0);
        let client = bucket(policy("client", algorithm, Quota::new(10, LONG)), 1);
        let other = bucket(policy("other", algorithm, Quota::new(6_000, LONG)), 1);
        let store = still(&server, &clock).await;
        hammer(&store, everybody, 1, 16).await;
        hammer(&store, other, 1, 40).await;
        let before = store.check(&other, 0).await.expect("a look").remaining;
        let charges = [charge(other, 1), charge(everybody, 1), charge(client, 1)];
        for _ in 0..20 {
            let decisions = store.check_all(&charges).await.expect("decisions");
            let allowed: Vec<bool> = decisions.iter().map(|decision| decision.allowed).collect();
            assert_eq!(allowed, [true, false, true], "{algorithm:?}");
            let remaining: Vec<u32> = decisions
                .iter()
                .map(|decision| decision.remaining)
                .collect();
            assert_eq!(remaining, [before, 0, 10], "{algorithm:?}");
            assert!(decisions[1].retry_after.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_loses_nothing() {
    let mut server = RedisServer::start();
    let observer = store(&server).await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("impatient", algorithm, Quota::new(60_000, LONG)), 1);
        let store = store(&server).await;
        let mut admitted = hammer(&store, bucket, 8, 200).await;
        // Some take a slice or wait for one while Redis stands still, and do not stay for it.
        server.stop();
        let before = Instant::now();
        while before.elapsed() < Duration::from_millis(200) {
            let check = store.check(&bucket, 1);
            let decision = tokio::time::timeout(Duration::from_millis(5), check).await;
            admitted += u32::from(decision.is_ok_and(|decision| decision.expect("one").allowed));
        }
        server.cont();
        // At most those that were asked for one by one are gone.
        let lost = |left: u32| held(&bucket) - admitted - left;
        eventually("what was not spent", || async {
            lost(left(&observer, bucket).await) <= 40
        })
        .await;
        admitted += hammer(&store, bucket, 4, 100).await;
        assert!(admitted <= held(&bucket));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slice_that_does_not_come_keeps_nobody_waiting() {
    let server = RedisServer::start();
    let bucket = bucket(
        policy("gone", Algorithm::TokenBucket, Quota::new(60_000, LONG)),
        1,
    );
    let builder = server.builder().leases();
    let store = builder.timeout(Duration::from_millis(300)).connect().await;
    let store = store.expect("a redis-server");
    assert_eq!(hammer(&store, bucket, 8, 200).await, 1_600);
    drop(server);
    let began = Instant::now();
    let check = |_| {
        let store = store.clone();
        tokio::spawn(async move { store.check(&bucket, 1).await })
    };
    // More than any slice holds.
    let answers = join_all((0..5_000).map(check)).await;
    let answers: Vec<Result<Decision, StoreError>> = answers
        .into_iter()
        .map(|answer| answer.expect("no panic"))
        .collect();
    assert!(answers.iter().any(Result::is_err));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

/// A policy that says itself how it is counted.
fn says(lease: fn(Policy) -> Policy, algorithm: Algorithm) -> &'static Policy {
    let policy = *policy("says", algorithm, Quota::new(6_000, LONG));
    Box::leak(Box::new(lease(policy)))
}

#[tokio::test]
async fn a_policy_says_itself_whether_it_is_leased() {
    let server = RedisServer::start();
    let lax = store(&server).await;
    let strict = server.store().await;
    for (n, algorithm) in (1..).zip(ALGORITHMS) {
        for (store, lease, is_leased) in [
            (&strict, Policy::with_lease as fn(Policy) -> Policy, true),
            (&strict, |policy| policy, false),
            (&lax, |policy| policy, true),
            (&lax, Policy::with_strict, false),
        ] {
            let bucket = bucket(says(lease, algorithm), n);
            let before = server.calls("evalsha").await;
            assert_eq!(hammer(store, bucket, 1, 100).await, 100);
            let calls = server.calls("evalsha").await - before;
            assert_eq!(calls < 50, is_leased, "{algorithm:?}: {calls} calls");
            assert!(is_leased || calls == 100, "{algorithm:?}: {calls} calls");
        }
    }
}

/// When a request was asked for and when it was admitted, in microseconds of the machine's time.
type Admission = (u64, u64);

/// A program that hammers one bucket through a store with leases, and is killed when it has been
/// admitted so often. Without that it ends when nothing is left.
fn lessee(
    server: &RedisServer,
    bucket: &Bucket,
    killed_after: Option<usize>,
) -> JoinHandle<Vec<Admission>> {
    let quota = bucket.quota();
    let arguments = [
        server.url(),
        bucket.algorithm().name().to_owned(),
        quota.limit().to_string(),
        quota.per().as_millis().to_string(),
    ];
    std::thread::spawn(move || {
        let arguments = arguments.each_ref().map(String::as_str);
        let mut lessee = Guarded::start(env!("CARGO_BIN_EXE_lessee"), &arguments, &[]);
        let mut admissions = Vec::new();
        while let Some(line) = lessee.line() {
            // The last line of one that was killed may be half of one.
            let Some(admission) = admission(&line) else {
                break;
            };
            admissions.push(admission);
            if killed_after == Some(admissions.len()) {
                lessee.signal("KILL");
            }
        }
        admissions
    })
}

fn admission(line: &str) -> Option<Admission> {
    let (asked, admitted) = line.strip_suffix('\n')?.split_once(' ')?;
    Some((asked.parse().ok()?, admitted.parse().ok()?))
}

/// What all of them were admitted.
fn admissions(lessees: Vec<JoinHandle<Vec<Admission>>>) -> Vec<Admission> {
    let of_one = |lessee: JoinHandle<Vec<Admission>>| lessee.join().expect("no panic");
    lessees.into_iter().flat_map(of_one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_are_killed_take_no_more_with_them_than_a_slice() {
    const LIMIT: u32 = 20_000;
    for algorithm in ALGORITHMS {
        let server = RedisServer::start();
        let observer = store(&server).await;
        let bucket = one_bucket(algorithm.name(), LIMIT);
        let killed = [500, 1_000, 2_000, 3_000];
        let survivors = [None, None];
        let lessees = killed.map(Some).into_iter().chain(survivors);
        let lessees = lessees.map(|end| lessee(&server, &bucket, end)).collect();
        let all = tokio::task::spawn_blocking(|| admissions(lessees)).await;
        let admitted = u32::try_from(all.expect("no panic").len()).expect("some");
        let left = left(&observer, bucket).await;
        assert!(admitted <= held(&bucket), "{algorithm:?}: {admitted}");
        // Each of its tasks may have been admitted without coming to say so.
        let slices = killed.map(|_| LIMIT / 16 + 8).iter().sum::<u32>();
        assert!(
            admitted + left + slices >= held(&bucket),
            "{algorithm:?}: {admitted} were admitted, and {left} are left"
        );
        assert!(admitted > LIMIT / 2, "{algorithm:?}: {admitted}");
    }
}

#[test]
fn over_any_time_processes_that_are_killed_and_begin_again_are_admitted_the_limit() {
    const LIMIT: u32 = 4_000;
    const PER: u64 = 1_000_000;
    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let server = RedisServer::start();
        let bucket = bucket(
            policy(
                "hammered",
                algorithm,
                Quota::new(LIMIT, Duration::from_micros(PER)),
            ),
            1,
        );
        let mut all = Vec::new();
        for _ in 0..4 {
            let killed = [1_000, 1_500, 2_000].map(Some);
            all.extend(admissions(
                killed.map(|end| lessee(&server, &bucket, end)).into(),
            ));
        }
        all.sort_unstable();
        for (first, &(from, _)) in all.iter().enumerate().step_by(7) {
            // Those that were asked for and admitted within the window: of these it is certain.
            let later = all[first..].iter();
            let window = later.take_while(|(asked, _)| *asked < from + PER);
            let count = window
                .filter(|(_, admitted)| *admitted < from + PER)
                .count();
            let most = match algorithm {
                Algorithm::TokenBucket => 2 * LIMIT,
                _ => LIMIT,
            };
            assert!(count <= most as usize, "{algorithm:?}: {count} in a second");
        }
    }
}
