use ratelimit_tests::RedisServer;
use redis::AsyncCommands;

use crate::program::{Program, complaint, figures, send};

#[tokio::test]
async fn the_tier_is_what_redis_says() {
    let redis = RedisServer::start();
    let mut connection = redis.connection().await;
    for (key, field, value) in [
        ("k-alice", "tier", "pro"),
        ("k-bob", "tier", "free"),
        ("k-ci", "tier", "enterprise"),
        ("k-carol", "tier", ""),
        ("k-dave", "owner", "dave"),
    ] {
        let hash = format!("api_key:{key}");
        let added: u32 = connection.hset(hash, field, value).await.expect("HSET");
        assert_eq!(added, 1);
    }
    let program = Program::start("tiers_from_redis", &[("REDIS_URL", &redis.url())]);

    for (key, tier, limit, left) in [
        ("k-alice", "pro", Some("50"), Some("49")),
        ("k-alice", "pro", Some("50"), Some("48")),
        ("k-bob", "free", Some("5"), Some("4")),
        ("k-ci", "enterprise", None, None),
        // Known, but on no particular tier: the default one, with a bucket of its own.
        ("k-carol", "free", Some("5"), Some("4")),
        // Unknown keys share the bucket of the callers from this address that send none.
        ("made-up", "free", Some("5"), Some("4")),
        ("k-dave", "free", Some("5"), Some("3")),
    ] {
        let response = send(program.get("/search").header("x-api-key", key)).await;
        assert_eq!(figures(&response), (200, limit, left), "{key}");
        let body = response.text().await.expect("text");
        assert_eq!(body, format!("found on the tier {tier}\n"));
    }
    for left in ["2", "1", "0"] {
        let response = send(program.get("/search")).await;
        assert_eq!(figures(&response), (200, Some("5"), Some(left)));
    }
    let response = send(program.get("/search").header("x-api-key", "made-up-again")).await;
    assert_eq!(figures(&response), (429, Some("5"), Some("0")));
}

#[test]
fn the_lines_to_try_are_for_the_redis_that_it_uses() {
    let redis = RedisServer::start();
    let url = redis.url();
    let mut program = Program::start("tiers_from_redis", &[("REDIS_URL", &url)]);
    let line = std::iter::from_fn(|| program.line()).find(|line| line.contains("redis-cli"));
    let command = format!("redis-cli -h 127.0.0.1 -p {} HSET", redis.port());
    assert!(
        line.as_ref().is_some_and(|line| line.contains(&command)),
        "{line:?}"
    );
}

#[test]
fn without_redis_it_says_how_to_have_one() {
    for environment in [&[][..], &[("REDIS_URL", "")]] {
        let said = complaint("tiers_from_redis", environment);
        assert!(said.contains("REDIS_URL is not set"), "{said}");
        assert!(said.contains("redis-server"), "{said}");
        assert!(said.contains("REDIS_URL=redis://127.0.0.1:6379"), "{said}");
    }
    let nobody = [("REDIS_URL", "redis://127.0.0.1:1")];
    let said = complaint("tiers_from_redis", &nobody);
    assert!(
        said.contains("cannot connect to Redis at 127.0.0.1:1"),
        "{said}"
    );
}
