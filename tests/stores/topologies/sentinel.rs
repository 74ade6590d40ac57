//! Redis Sentinel: the master is found, and followed.

use std::time::{Duration, Instant};

use ratelimit::{Quota, RedisStore, RedisStoreBuilder, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, Sentinel, bucket, patient, policy};

use super::everything;

/// The first of the two sentinels is gone.
fn store(sentinel: &Sentinel, master: &str) -> RedisStoreBuilder {
    RedisStore::sentinel(["redis://127.0.0.1:1".to_owned(), sentinel.url()], master)
}

#[tokio::test]
async fn the_replica_is_used_when_it_has_become_the_master() {
    let (sentinel, master, replica) = Sentinel::start().await;
    let name = format!("redis://:{}@mymaster/3", Sentinel::PASSWORD);
    let connected = patient(store(&sentinel, &name)).connect().await;
    let redis = connected.expect("a master");
    everything::works(redis.clone()).await;

    drop(master);
    let bucket = bucket(policy("followed", ALGORITHMS[0], Quota::per_hour(5)), 1);
    let begin = Instant::now();
    while redis.check(&bucket, 1).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "not followed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = format!(
        "redis://:{}@127.0.0.1:{}/3",
        Sentinel::PASSWORD,
        replica.port()
    );
    let there = RedisStore::connect(&url).await.expect("the new master");
    let seen = there.check(&bucket, 0).await.expect("a look");
    assert_eq!(seen.remaining, 4, "it was counted there");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_no_password_is() {
    let (sentinel, _master, _replica) = Sentinel::start().await;
    let plain = RedisServer::shared().url();
    let none = Vec::<String>::new();
    for (builder, reason) in [
        (store(&sentinel, "another"), "knows no master of that name"),
        (store(&sentinel, "mymaster"), "Authentication required"),
        (
            store(&sentinel, "redis://:S3CRET@mymaster"),
            "the password in the URL",
        ),
        (RedisStore::sentinel([plain], "mymaster"), "unknown command"),
        (
            RedisStore::sentinel(["redis://:S3CRET@127.0.0.1:1"], "mymaster"),
            "Connection refused",
        ),
        (
            RedisStore::sentinel(none, "mymaster"),
            "at least one of its sentinels",
        ),
    ] {
        let builder = builder.connect_timeout(Duration::from_secs(10));
        let error = builder.connect().await.expect_err("no master").to_string();
        assert!(
            error.contains(reason) && !error.contains("S3CRET"),
            "{error}"
        );
    }
}
