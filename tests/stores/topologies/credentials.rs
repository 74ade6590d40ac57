//! Users and passwords that change while the store is connected.

use std::{
    error::Error,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use ratelimit::{Quota, RedisCredentials, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, eventually, policy};
use redis::cmd;

async fn set_password(server: &RedisServer, token: u32) {
    let password = format!(">token-{token}");
    let rules = ["web", "reset", "on", &password, "~*", "+@all"];
    let mut connection = server.connection().await;
    let mut set = cmd("ACL");
    let set = set.arg("SETUSER").arg(&rules).query_async(&mut connection);
    let () = set.await.expect("a user");
}

/// As a token does that expires: the server closes the connection, and takes the next token only.
#[tokio::test]
async fn each_connection_is_opened_with_what_is_valid_then() {
    let server = RedisServer::start();
    set_password(&server, 1).await;
    let token = Arc::new(AtomicU32::new(1));
    let provider = {
        let token = token.clone();
        move || {
            let token = token.load(Ordering::SeqCst);
            async move { Ok(RedisCredentials::new("web", format!("token-{token}"))) }
        }
    };
    let builder = RedisStore::builder(server.url()).credentials(provider);
    let store = builder.connect().await.expect("a valid token");
    let bucket = bucket(policy("token", ALGORITHMS[0], Quota::per_hour(1000)), 1);
    for n in 2..5 {
        set_password(&server, n).await;
        token.store(n, Ordering::SeqCst);
        let mut kill = cmd("CLIENT");
        let mut connection = server.connection().await;
        kill.arg("KILL").arg("USER").arg("web");
        let () = kill.query_async(&mut connection).await.expect("killed");
        eventually("a decision with the next token", async || {
            store.check(&bucket, 1).await.is_ok()
        })
        .await;
    }
}

fn failing() -> Result<RedisCredentials, Box<dyn Error + Send + Sync>> {
    Err("the token service is down".into())
}

#[tokio::test]
async fn a_provider_that_fails_or_hangs_is_an_error_in_time() {
    let server = RedisServer::start();
    let store = || RedisStore::builder(server.url()).connect_timeout(Duration::from_millis(300));
    let begin = Instant::now();
    let error = store().credentials(|| async { failing() }).connect().await;
    let error = error.expect_err("no credentials").to_string();
    assert!(error.contains("the token service is down"), "{error}");
    let hanging = store().credentials(pending).connect().await;
    let error = hanging.expect_err("no credentials").to_string();
    assert!(error.contains("no answer within 300ms"), "{error}");
    let wrong = || async { Ok(RedisCredentials::new("web", "S3CRET")) };
    let error = store().credentials(wrong).connect().await;
    let error = error.expect_err("wrong credentials").to_string();
    assert!(!error.contains("S3CRET"), "{error}");
    assert!(error.contains("password or user is wrong"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn credentials_and_a_password_in_the_url_exclude_each_other() {
    let provider = || async { failing() };
    for builder in [
        RedisStore::builder("redis://web:S3CRET@127.0.0.1:1"),
        RedisStore::builder("redis://:S3CRET@127.0.0.1:1"),
        RedisStore::sentinel(["redis://127.0.0.1:1"], "redis://:S3CRET@mymaster"),
        RedisStore::cluster(["redis://web@127.0.0.1:1"]),
    ] {
        let error = builder.credentials(provider).connect_lazily();
        let error = error.expect_err("both").to_string();
        assert!(error.contains("exclude each other"), "{error}");
        assert!(!error.contains("S3CRET"), "{error}");
    }
    // Those of a sentinel are its own.
    let sentinels = ["redis://:S3CRET@127.0.0.1:1"];
    let builder = RedisStore::sentinel(sentinels, "mymaster").credentials(provider);
    assert!(builder.connect_lazily().is_ok());
}
