//! Checks that are decided together with others through one connection: each stands for itself.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ratelimit::{Bucket, Decision, ManualClock, Quota, RedisStore, Store, StoreError};
use ratelimit_tests::{ALGORITHMS, Lag, RedisServer, bucket, eventually, policy};
use redis::{AsyncCommands, cmd};
use tokio::{
    task::{JoinHandle, yield_now},
    time::timeout,
};

const LIMIT: u32 = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// A store with one connection.
async fn store(server: &RedisServer) -> RedisStore {
    let builder = server.builder().connections(1);
    let store = builder.connect().await;
    store.expect("a redis-server")
}

/// A few buckets of every algorithm.
fn buckets(clients: u32) -> Vec<Bucket> {
    buckets_of(LIMIT, clients)
}

fn buckets_of(limit: u32, clients: u32) -> Vec<Bucket> {
    let of = |algorithm| policy("together", algorithm, Quota::new(limit, DAY));
    let policies = ALGORITHMS.map(of);
    let of_client = |n| policies.map(|policy| bucket(policy, n));
    (0..clients).flat_map(of_client).collect()
}

/// So many checks at once, of these buckets in turn.
fn checks(
    store: &RedisStore,
    buckets: &[Bucket],
    count: usize,
) -> Vec<JoinHandle<Result<Decision, StoreError>>> {
    let asked: Vec<_> = buckets.iter().map(|&bucket| (bucket, 1)).collect();
    checks_of(store, &asked, count)
}

/// So many checks at once, of these buckets and costs in turn.
fn checks_of(
    store: &RedisStore,
    asked: &[(Bucket, u32)],
    count: usize,
) -> Vec<JoinHandle<Result<Decision, StoreError>>> {
    let check = |&(bucket, cost): &(Bucket, u32)| {
        let store = store.clone();
        tokio::spawn(async move { store.check(&bucket, cost).await })
    };
    asked.iter().cycle().take(count).map(check).collect()
}

async fn results(
    checks: Vec<JoinHandle<Result<Decision, StoreError>>>,
) -> Vec<Result<Decision, StoreError>> {
    let results = join_all(checks).await.into_iter();
    results.map(|result| result.expect("no panic")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundreds_of_tasks_are_admitted_exactly_the_limit_in_fewer_calls() {
    let server = RedisServer::start();
    let store = store(&server).await;
    let buckets = buckets(2);
    // Each bucket is asked for three times as often as it admits.
    let rounds = 6;
    let at_once = 3 * LIMIT as usize;
    let mut admitted = 0;
    for _ in 0..rounds {
        let results = results(checks(&store, &buckets, at_once)).await;
        let decisions = results
            .into_iter()
            .map(|result| result.expect("a decision"));
        admitted += decisions.filter(|decision| decision.allowed).count();
    }
    assert_eq!(admitted, LIMIT as usize * buckets.len());
    let calls = server.calls("evalsha").await;
    let most = (rounds * at_once / 2) as u64;
    assert!(
        calls < most,
        "{calls} calls for {} checks",
        rounds * at_once
    );

    for n in 1..=10 {
        store.check(&buckets[0], 0).await.expect("a decision");
        let alone = server.calls("evalsha").await - calls;
        assert_eq!(alone, n, "who is alone waits for nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_each_costs_all_together_are_admitted_exactly_the_limit() {
    let server = RedisServer::start();
    let store = store(&server).await;
    // A log of the first is a string, and one of the second becomes a list.
    for limit in [60, 300] {
        let buckets = buckets_of(limit, 2);
        let of_cost = |cost| buckets.iter().map(move |&bucket| (bucket, cost));
        let asked: Vec<_> = [1, 2, 3].into_iter().flat_map(of_cost).collect();
        let mut admitted = vec![0; buckets.len()];
        for _ in 0..6 {
            let results = results(checks_of(&store, &asked, 360)).await;
            for (n, result) in results.into_iter().enumerate() {
                if result.expect("a decision").allowed {
                    let (_, cost) = asked[n % asked.len()];
                    admitted[n % buckets.len()] += cost;
                }
            }
        }
        // The cheapest ones come often enough to use up what no other fits in.
        assert_eq!(admitted, vec![limit; buckets.len()]);
    }
    assert!(server.calls("evalsha").await < 2160, "they went together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bucket_that_is_none_fails_alone() {
    let server = RedisServer::start();
    let store = store(&server).await;
    let buckets = buckets(4);
    let key = format!("ratelimit:{}", buckets[5]);
    let mut connection = server.connection().await;
    let _: () = connection.rpush(key, "a list").await.expect("pushed");
    let results = results(checks(&store, &buckets, 240)).await;
    for (n, result) in results.iter().enumerate() {
        match result {
            Ok(decision) => assert!(decision.allowed && n % buckets.len() != 5),
            Err(error) => {
                assert_eq!(n % buckets.len(), 5, "{error}");
                let said = error.to_string();
                assert!(said.contains("cannot tell of one bucket"), "{said}");
                assert!(said.contains("WRONGTYPE"), "{said}");
            }
        }
    }
    assert!(server.calls("evalsha").await < 120, "they went together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_has_lost_the_script_is_given_it_again() {
    let server = RedisServer::start();
    let store = store(&server).await;
    let mut flush = cmd("SCRIPT");
    flush.arg("FLUSH");
    let mut connection = server.connection().await;
    let _: () = flush.query_async(&mut connection).await.expect("flushed");
    let results = results(checks(&store, &buckets(2), 300)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_disturbs_nobody() {
    let server = RedisServer::start();
    let store = store(&server).await;
    let buckets = buckets(2);
    for round in 0..50 {
        let aborted = checks(&store, &buckets, 60);
        let patient = checks(&store, &buckets, 60);
        let hasty = (0..60).map(|n| {
            let check = store.check(&buckets[n % buckets.len()], 1);
            timeout(Duration::from_micros(10 * n as u64), check)
        });
        let hasty = join_all(hasty);
        for _ in 0..round {
            yield_now().await;
        }
        for check in &aborted {
            check.abort();
        }
        let _ = hasty.await;
        for result in results(patient).await {
            result.expect("a decision, whatever becomes of the others");
        }
    }
    // All are gone, so that the next check waits for nobody, however they went.
    let calls = server.calls("evalsha").await;
    eventually("the end of all that was sent", async || {
        let calls = server.calls("evalsha").await;
        store.check(&buckets[0], 0).await.expect("a decision");
        server.calls("evalsha").await == calls + 1
    })
    .await;
    assert!(server.calls("evalsha").await > calls);
    let left = join_all(buckets.iter().map(|bucket| store.check(bucket, 0))).await;
    let left = left.into_iter().map(|result| result.expect("a decision"));
    assert_eq!(left.map(|decision| decision.remaining).sum::<u32>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_have_an_error_in_time_from_a_server_that_stands_still() {
    let mut server = RedisServer::start();
    let builder = server.builder().connections(1);
    let store = builder.timeout(Duration::from_millis(300));
    let store = store.connect().await.expect("a redis-server");
    let buckets = buckets(2);
    server.stop();
    eventually("a server that stands still", async || {
        store.check(&buckets[0], 0).await.is_err()
    })
    .await;
    let lag = Lag::measure();
    let began = Instant::now();
    let results = results(checks(&store, &buckets, 300)).await;
    let took = began.elapsed().saturating_sub(lag.worst());
    server.cont();
    assert!(
        results.iter().all(Result::is_err),
        "nobody can have decided"
    );
    assert!(took < Duration::from_millis(600), "{took:?}");
    eventually("an answer", async || {
        store.check(&buckets[0], 0).await.is_ok()
    })
    .await;
    let results = self::results(checks(&store, &buckets, 300)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_time_is_that_of_the_stores_clock() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    let builder = server.builder().connections(1);
    let builder = builder.clock(clock.clone());
    let store = builder.connect().await.expect("a redis-server");
    let buckets = buckets(1);
    for _ in 0..2 {
        let results = results(checks(&store, &buckets, 3 * 2 * LIMIT as usize)).await;
        let admitted = results.iter().flatten().filter(|decision| decision.allowed);
        assert_eq!(admitted.count(), 3 * LIMIT as usize);
        clock.advance(DAY);
    }
}

/// It does not take keys of different slots in one script, though it has all of the slots.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_server_that_is_a_cluster_is_asked_one_by_one() {
    let server = RedisServer::start_with(&[], &["--cluster-enabled", "yes"]);
    let mut connection = server.connection().await;
    let mut slots = cmd("CLUSTER");
    slots.arg("ADDSLOTS").arg((0..16_384).collect::<Vec<_>>());
    let _: () = slots.query_async(&mut connection).await.expect("slots");
    eventually("a cluster", async || {
        server.builder().connect().await.is_ok()
    })
    .await;
    let store = store(&server).await;
    let buckets = buckets(20);
    let calls = server.calls("evalsha").await;
    let results = self::results(checks(&store, &buckets, 300)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(server.calls("evalsha").await, calls + 300);
}
