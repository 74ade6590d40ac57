//! Redis Cluster, as three servers.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router, routing::get};
use ratelimit::{Algorithm, Charge, Quota, RateLimiter, RedisStore, Store, rate_limit};
use ratelimit_tests::{
    ALGORITHMS, App, RedisCluster, RedisServer, bucket, one_bucket, patient, policy,
};
use redis::{AsyncCommands, cmd};

use super::{acl, everything};

/// As a user that may do no more than the README says.
async fn connected_as_web(cluster: &RedisCluster) -> RedisStore {
    let more = "+cluster|slots +asking";
    assert!(acl::README.contains(more));
    let rules: Vec<&str> = acl::rules().into_iter().chain(more.split(' ')).collect();
    for server in cluster.servers() {
        acl::set_user(&mut server.connection().await, &rules).await;
    }
    let urls = cluster.servers().iter().map(RedisServer::url);
    let urls = urls.map(|url| url.replace("redis://", "redis://web:S3CRET@"));
    let builder = patient(RedisStore::cluster(urls));
    builder.connect().await.expect("a cluster")
}

/// All servers but the first are learned from it.
async fn connected(cluster: &RedisCluster) -> RedisStore {
    let builder = RedisStore::cluster([cluster.servers()[0].url()]);
    patient(builder).connect().await.expect("a cluster")
}

#[tokio::test]
async fn everything_works_on_whichever_server_it_is() {
    let cluster = RedisCluster::start().await;
    everything::works(connected_as_web(&cluster).await).await;

    // Clients are spread over all servers, also where these have lost the scripts.
    let store = connected(&cluster).await;
    for flush in [false, true] {
        for server in cluster.servers() {
            let mut connection = server.connection().await;
            let _: () = connection.flushall().await.expect("flushed");
            if flush {
                let mut scripts = cmd("SCRIPT");
                let flushed = scripts.arg("FLUSH").query_async(&mut connection).await;
                let () = flushed.expect("flushed");
            }
        }
        for algorithm in ALGORITHMS {
            let policy = policy("spread", algorithm, Quota::per_hour(2));
            for client in 0..60 {
                for n in 0..3 {
                    let decision = store.check(&bucket(policy, client), 1).await;
                    assert_eq!(decision.expect("a check").allowed, n < 2);
                }
            }
        }
        for server in cluster.servers() {
            let keys: Vec<String> = server.connection().await.keys("*").await.expect("keys");
            assert!(keys.len() > 20, "{} on one", keys.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_is_admitted_while_its_slot_moves_to_and_fro() {
    let cluster = RedisCluster::start().await;
    let stores = [connected(&cluster).await, connected_as_web(&cluster).await];
    for algorithm in ALGORITHMS {
        let bucket = one_bucket(algorithm.name(), 1_500);
        let admitted = Arc::new(AtomicU32::new(0));
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let (store, admitted) = (stores[n % 2].clone(), admitted.clone());
                tokio::spawn(async move {
                    while store.check(&bucket, 1).await.expect("a check").allowed {
                        let before = admitted.fetch_add(1, Ordering::Relaxed);
                        assert!(before < 1_500, "there is no limit");
                    }
                })
            })
            .collect();
        let mut moves = 0;
        while admitted.load(Ordering::Relaxed) < 1_200 {
            let (slot, from) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
            let elsewhere = |server: &&RedisServer| server.port() != from.port();
            let to = cluster.servers().iter().find(elsewhere).expect("three");
            cluster.move_slot(slot, from, to).await;
            moves += 1;
        }
        for task in tasks {
            task.await.expect("no error");
        }
        assert_eq!(admitted.load(Ordering::Relaxed), 1_500, "{algorithm:?}");
        assert!(moves > 1, "{moves}");
    }
}

#[tokio::test]
async fn a_replica_that_takes_over_is_used() {
    let mut cluster = RedisCluster::start().await;
    let store = connected(&cluster).await;
    cluster.lose_the_first_to_a_replica().await;
    let policy = policy("taken over", ALGORITHMS[0], Quota::per_hour(5));
    // Of so many clients some are of the server that is gone.
    for client in 0..20 {
        let bucket = bucket(policy, client);
        let begin = Instant::now();
        while store.check(&bucket, 1).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "not followed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut replica = cluster.servers()[0].connection().await;
    let keys: Vec<String> = replica.keys("*").await.expect("keys");
    assert!(!keys.is_empty(), "some were counted there");
}

fn charges(clients: [u32; 2]) -> Vec<Charge> {
    let charge = |(name, client)| Charge {
        bucket: bucket(
            policy(name, Algorithm::TokenBucket, Quota::per_hour(5)),
            client,
        ),
        cost: 1,
        enforced: true,
    };
    ["a second", "a day"]
        .into_iter()
        .zip(clients)
        .map(charge)
        .collect()
}

#[tokio::test]
async fn a_check_of_several_clients_is_refused_and_is_no_outage() {
    let cluster = RedisCluster::start().await;
    let store = connected(&cluster).await;
    for client in 1..20 {
        let refused = store.check_all(&charges([client, client + 1])).await;
        let error = refused.expect_err("of two clients").to_string();
        assert!(error.contains("`a second` and `a day`"), "{error}");
        assert!(error.contains("give both the same key"), "{error}");
        let taken = store.check_all(&charges([client, client])).await;
        let left: HashSet<u32> = taken
            .expect("of one")
            .iter()
            .map(|one| one.remaining)
            .collect();
        assert_eq!(
            left,
            HashSet::from([4]),
            "nothing was taken by the refused check"
        );
    }
}

#[rate_limit(limit = 2, per = "1h", key = ip, name = "of an address")]
#[rate_limit(limit = 100, per = "1h", key = global, name = "of everybody")]
async fn of_two_clients() {}

#[rate_limit(limit = 2, per = "1h", name = "beside it")]
async fn of_one_client() {}

#[tokio::test]
async fn what_is_refused_is_kept_in_the_process_and_the_rest_in_the_cluster() {
    let cluster = RedisCluster::start().await;
    let limiter = RateLimiter::builder()
        .store(connected(&cluster).await)
        .build()
        .expect("nothing is wrong with it");
    let router = Router::new()
        .route("/two", get(of_two_clients))
        .route("/one", get(of_one_client))
        .layer(Extension(limiter));
    let app = App::start(router).await;
    for status in [200, 200, 429, 429, 429] {
        assert_eq!(app.status("/two").await, status);
    }
    for status in [200, 200, 429] {
        assert_eq!(app.status("/one").await, status);
    }
    let mut keys: Vec<String> = Vec::new();
    for server in cluster.servers() {
        let some: Vec<String> = server.connection().await.keys("*").await.expect("keys");
        // What processes tell each other of beside the checks is none of them.
        keys.extend(some.into_iter().filter(|key| !key.contains("{fleet}")));
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].contains("beside it"), "{keys:?}");
}

#[rate_limit(limit = 2, per = "1h", key = ip, name = "of each address")]
#[rate_limit(limit = 100, per = "1h", key = global, name = "of all", lease)]
async fn of_two_clients_one_leased() {}

#[tokio::test]
async fn what_is_leased_may_be_on_another_server() {
    let cluster = RedisCluster::start().await;
    let app = || async {
        let limiter = RateLimiter::builder()
            .store(connected(&cluster).await)
            .trusted_proxies(["127.0.0.1"])
            .build()
            .expect("nothing is wrong with it");
        let router = Router::new()
            .route("/", get(of_two_clients_one_leased))
            .layer(Extension(limiter));
        App::start(router).await
    };
    let apps = [app().await, app().await];
    let mut admitted = 0;
    for n in 0..80 {
        // From each address three, of which two are admitted while there is something for all.
        for app in [&apps[0], &apps[1], &apps[0]] {
            let request = app
                .get("/")
                .header("x-forwarded-for", format!("203.0.113.{n}"));
            let status = request.send().await.expect("an answer").status();
            admitted += u32::from(status == 200);
        }
        assert!(admitted <= 2 * (n + 1), "{admitted} of {n}");
        if n < 40 {
            assert_eq!(admitted, 2 * (n + 1));
        }
    }
    // The rest of a slice is another process's only when it has gone back.
    assert!((92..=100).contains(&admitted), "{admitted}");
}

#[tokio::test]
async fn a_cluster_that_is_none_says_so() {
    let plain = RedisServer::shared().url();
    let cluster = RedisCluster::start().await;
    let url = cluster.servers()[0].url();
    let wrong = url.replace("redis://", "redis://web:S3CRET@");
    for (builder, reason) in [
        (RedisStore::cluster(Vec::<String>::new()), "at least one"),
        (RedisStore::cluster([plain]), "cluster support disabled"),
        (
            RedisStore::cluster(["redis://:S3CRET@127.0.0.1:1"]),
            "127.0.0.1:1",
        ),
        (RedisStore::cluster([&wrong]), "the password in the URL"),
        (
            RedisStore::cluster([format!("{url}/1")]),
            "refused to switch database",
        ),
        (RedisStore::cluster(["redis+unix:///a.sock"]), "unix socket"),
        (
            RedisStore::cluster([&url, &wrong]),
            "the same user and password",
        ),
    ] {
        let error = builder.connect().await.expect_err("no cluster").to_string();
        assert!(
            error.contains(reason) && !error.contains("S3CRET"),
            "{error}"
        );
    }
}
