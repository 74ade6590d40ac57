//! The smallest user that a store needs: README.md gives its rules.

use axum::http::{HeaderName, Request};
use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter, RedisStore, Tier};
use ratelimit_tests::{RedisServer, patient};
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};

use super::everything;

pub(super) const README: &str = include_str!("../../../README.md");

/// The rules that the README gives, from the line that begins with `ACL SETUSER`.
pub(super) fn rules() -> Vec<&'static str> {
    let line = README
        .lines()
        .find(|line| line.starts_with("ACL SETUSER web "))
        .expect("the README says which rules");
    line.split_whitespace().collect()
}

pub(super) async fn set_user(connection: &mut MultiplexedConnection, rules: &[&str]) {
    let _: () = cmd(rules[0])
        .arg(&rules[1..])
        .query_async(connection)
        .await
        .expect("rules that the server understands");
}

/// Whether all that is ever asked is answered to the user `web`.
async fn suffice(server: &RedisServer) -> bool {
    let mut connection = server.connection().await;
    let _: () = connection.flushall().await.expect("flushed");
    let _: () = cmd("SCRIPT")
        .arg("FLUSH")
        .query_async(&mut connection)
        .await
        .expect("flushed");
    let url = format!("redis://web:S3CRET@127.0.0.1:{}", server.port());
    match patient(RedisStore::builder(url)).connect().await {
        Ok(store) => tokio::spawn(everything::works(store)).await.is_ok(),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("the user lacks a permission"), "{said}");
            false
        }
    }
}

#[tokio::test]
async fn the_rules_in_the_readme_are_enough_and_each_is_needed() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    let rules = rules();
    set_user(&mut connection, &rules).await;
    assert!(suffice(&server).await, "all of {rules:?}");
    for permission in rules.iter().filter(|rule| rule.starts_with(['+', '~'])) {
        let others: Vec<&str> = rules
            .iter()
            .copied()
            .filter(|rule| rule != permission)
            .collect();
        set_user(&mut connection, &others).await;
        assert!(!suffice(&server).await, "without {permission}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_run_scripts_by_their_digests_cannot_connect() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    set_user(&mut connection, &rules()).await;
    set_user(&mut connection, &["ACL", "SETUSER", "web", "-evalsha"]).await;
    let url = format!("redis://web:S3CRET@127.0.0.1:{}", server.port());
    let connected = patient(RedisStore::builder(url)).connect().await;
    let error = connected.expect_err("no check would work").to_string();
    assert!(error.contains("the user lacks a permission"), "{error}");
}

static HEADER: HeaderName = HeaderName::from_static("x-api-key");
static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_hour(1_000))];
static POLICY: Policy =
    Policy::new("no tiers", Algorithm::FixedWindow, &TIERS).with_tier_header(&HEADER);

/// As an application has it that does not keep its tiers there.
#[tokio::test]
async fn a_user_who_may_not_read_tiers_is_no_outage() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    set_user(&mut connection, &rules()).await;
    set_user(&mut connection, &["ACL", "SETUSER", "web", "-hget"]).await;
    let url = format!("redis://web:S3CRET@127.0.0.1:{}", server.port());
    let store = patient(RedisStore::builder(url)).connect().await;
    let store = store.expect("a user who may do the rest");
    let limiter = RateLimiter::builder().store(store).build().expect("built");
    for n in 0..20 {
        let request = Request::builder().header(&HEADER, format!("k-{n}"));
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
        let verdict = limiter.check(&POLICY, caller).await;
        assert!(!verdict.is_degraded(), "the key {n}");
    }
    let health = limiter.store_health().expect("a store that can be out");
    assert_eq!(health.outages, 0);
}
