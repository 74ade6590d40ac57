//! A Redis that is set up as `examples/redis.conf` says keeps limits through a crash.

use std::{env, fs, process};

use ratelimit::{Quota, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, policy};

#[tokio::test]
async fn limits_survive_a_server_that_is_killed_and_started_again() {
    let directory = env::temp_dir().join(format!("ratelimit-persistence-{}", process::id()));
    fs::create_dir_all(&directory).expect("a directory for the server");
    let configuration = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/redis.conf");
    let path = directory.display().to_string();
    // The port is the test's own.
    let arguments = [
        "--include",
        configuration,
        "--dir",
        &path,
        "--port",
        "{port}",
    ];

    let server = RedisServer::start_with(&[], &arguments);
    let port = server.port();
    let store = server.store().await;
    let buckets = ALGORITHMS.map(|algorithm| {
        let policy = policy("through a crash", algorithm, Quota::per_hour(5));
        bucket(policy, 1)
    });
    for bucket in &buckets {
        assert_eq!(store.check(bucket, 4).await.expect("a check").remaining, 1);
    }
    server.has_written().await;
    drop((store, server));

    let server = RedisServer::start_on_with(port, &arguments).expect("the port is still free");
    let store = server.store().await;
    for bucket in &buckets {
        let remaining = store.check(bucket, 0).await.expect("a look").remaining;
        assert_eq!(remaining, 1, "{bucket}");
    }
    drop(server);
    fs::remove_dir_all(&directory).expect("it is the test's own");
}
