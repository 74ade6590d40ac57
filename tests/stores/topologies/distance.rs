//! A server that is far away: connections take several round trips to come about.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ratelimit::{Quota, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, Proxy, RedisServer, Trouble, bucket, policy};

/// Faults end and are over within so long.
const RECOVERY: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_ends_as_soon_as_one_connection_is_there() {
    // Together, so that the test takes as long as one of them.
    join_all(
        [(60, 16), (20, 64), (220, 4)].map(|(millis, connections)| async move {
            let distance = Duration::from_millis(millis);
            let server = RedisServer::start();
            let proxy = Proxy::start(server.port()).await;
            proxy.make(Trouble::Distance(distance));
            let builder = RedisStore::builder(proxy.url())
                .connections(connections)
                .timeout(distance + Duration::from_millis(250));
            let store = builder.connect().await.expect("a redis-server");
            let bucket = bucket(policy("distant", ALGORITHMS[0], Quota::per_hour(1000)), 1);
            for _ in 0..3 {
                proxy.make(Trouble::Refuse);
                while store.check(&bucket, 1).await.is_ok() {}
                for _ in 0..3 {
                    assert!(store.check(&bucket, 1).await.is_err());
                }
                proxy.make(Trouble::Distance(distance));
                let begin = Instant::now();
                while store.check(&bucket, 1).await.is_err() {
                    assert!(begin.elapsed() < RECOVERY, "{millis} ms × {connections}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                for n in 0..2 * connections {
                    let checked = store.check(&bucket, 1).await;
                    assert!(
                        checked.is_ok(),
                        "{millis} ms × {connections}: {n} {checked:?}"
                    );
                }
            }
        }),
    )
    .await;
}

#[tokio::test]
async fn the_longest_timeouts_do_not_overflow() {
    let server = RedisServer::start();
    let builder = RedisStore::builder(server.url())
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX);
    let store = builder.connect().await.expect("a redis-server");
    let bucket = bucket(policy("patient", ALGORITHMS[0], Quota::per_hour(5)), 1);
    assert!(store.check(&bucket, 1).await.expect("a decision").allowed);
}
