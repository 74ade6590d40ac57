//! Redis Sentinel: the master is found, and followed.

use std::time::{Duration, Instant};

use ratelimit::{Quota, RedisStore, RedisStoreBuilder, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, Sentinel, bucket, eventually, patient, policy};

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

/// The servers of a sentinel that stands still accept connections, and nothing more.
#[tokio::test]
async fn a_silent_sentinel_delays_nothing() {
    let (sentinel, master, _replica) = Sentinel::start().await;
    let mut silent = Sentinel::another(&master);
    silent.stop();
    let name = format!("redis://:{}@mymaster", Sentinel::PASSWORD);
    for order in [[&silent, &sentinel], [&sentinel, &silent]] {
        let urls = order.map(Sentinel::url);
        let builder = RedisStore::sentinel(urls, &name);
        let begin = Instant::now();
        let store = builder.connect_timeout(Duration::from_secs(60)).connect();
        store.await.expect("a master");
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "it was waited for"
        );
    }
}

#[tokio::test]
async fn a_master_and_a_sentinel_that_fall_silent_together_are_left_behind() {
    let (sentinel, mut master, replica) = Sentinel::start().await;
    let mut first = Sentinel::another(&master);
    let name = format!("redis://:{}@mymaster", Sentinel::PASSWORD);
    let builder = RedisStore::sentinel([first.url(), sentinel.url()], &name);
    let store = builder.connect().await.expect("a master");
    first.stop();
    master.stop();
    let bucket = bucket(policy("left behind", ALGORITHMS[0], Quota::per_hour(5)), 1);
    eventually("the old master is silent", async || {
        store.check(&bucket, 1).await.is_err()
    })
    .await;
    eventually("a decision of the new master", async || {
        store.check(&bucket, 1).await.is_ok()
    })
    .await;
    let there = RedisStore::connect(&replica.url()).await.expect("it");
    let seen = there.check(&bucket, 0).await.expect("a look");
    assert!(seen.remaining < 5, "it was counted there");
}

#[tokio::test]
async fn a_sentinel_that_names_the_demoted_master_is_not_believed() {
    let (sentinel, master, replica) = Sentinel::start().await;
    let stale = Sentinel::out_of_date(&master).await;
    let name = format!("redis://:{}@mymaster", Sentinel::PASSWORD);
    let urls = [stale.url(), sentinel.url()];
    let before = RedisStore::sentinel(&urls, &name).connect().await;
    let before = before.expect("a master");
    sentinel.fail_over().await;
    eventually("a new master", async || !is_replica(&replica).await).await;
    // The sentinel demotes the old one ten seconds later.
    let mut demote = redis::cmd("REPLICAOF");
    demote.arg("127.0.0.1").arg(replica.port());
    let demoted = demote.query_async(&mut master.connection().await).await;
    let () = demoted.expect("a replica");

    let bucket = bucket(policy("stale", ALGORITHMS[0], Quota::per_hour(50)), 1);
    // The sentinel names the new master a little after it is one.
    let connect = || RedisStore::sentinel(&urls, &name).connect();
    eventually("the new master", async || connect().await.is_ok()).await;
    let after = connect().await.expect("the new master");
    for _ in 0..8 {
        // On each of its connections.
        after.check(&bucket, 1).await.expect("a decision");
    }
    eventually(
        "the new master, by a store that had the old one",
        async || before.check(&bucket, 1).await.is_ok(),
    )
    .await;
    for _ in 0..8 {
        before.check(&bucket, 1).await.expect("a decision");
    }

    let alone = RedisStore::sentinel([stale.url()], &name).connect().await;
    let error = alone.expect_err("no master").to_string();
    assert!(error.contains("is a replica"), "{error}");
}

async fn is_replica(server: &RedisServer) -> bool {
    // A server closes all connections when it becomes a master.
    let Ok(mut connection) = server.try_connection().await else {
        return true;
    };
    let role = redis::cmd("ROLE").query_async(&mut connection).await;
    let role: redis::RedisResult<Vec<redis::Value>> = role;
    let is_master = |role: Vec<redis::Value>| {
        role.first() == Some(&redis::Value::BulkString(b"master".to_vec()))
    };
    !role.is_ok_and(is_master)
}

#[tokio::test]
async fn a_user_that_may_not_ask_for_the_role_is_told_so() {
    let (sentinel, master, _replica) = Sentinel::start().await;
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER")
        .arg("web")
        .arg("on")
        .arg(">S3CRET")
        .arg("~*");
    user.arg("+@all").arg("-role");
    let set = user.query_async(&mut master.connection().await).await;
    let () = set.expect("a user");
    let builder = RedisStore::sentinel([sentinel.url()], "redis://web:S3CRET@mymaster");
    let error = builder.connect().await.expect_err("no role").to_string();
    assert!(
        error.contains("+role") && !error.contains("S3CRET"),
        "{error}"
    );
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
