//! What an operator does: look at a client, let it in again, put a key on another tier.

use std::{net::IpAddr, time::Duration};

use axum::{Extension, Router, http::Request, response::Response, routing::get};
use ratelimit::{
    Algorithm, Caller, ClientId, Limit, NoIdentity, Policy, PolicyEntry, PolicySource, Quota,
    RateLimitLayer, RateLimited, RateLimiter, SetTierError, Standing, Tier, policies, rate_limit,
};
use ratelimit_tests::{App, RedisServer};
use redis::AsyncCommands;

use crate::{limiter_on, limiters};

#[rate_limit(limit = 5, per = "1h", name = "admin one")]
async fn one() {}

#[rate_limit(limit = 7, per = "1h", algo = "token_bucket", name = "admin two")]
#[rate_limit(limit = 100, per = "1d", algo = "fixed_window", name = "admin day")]
async fn two() {}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 1,
    pro = 100,
    per = "1h",
    name = "admin tiers"
)]
async fn tiers() {}

async fn start(limiter: &RateLimiter) -> App {
    let routes = Router::new()
        .route("/one", get(one))
        .route("/two", get(two))
        .route("/tiers", get(tiers));
    App::start(routes.layer(Extension(limiter.clone()))).await
}

fn client() -> ClientId {
    ClientId::ip(IpAddr::from([127, 0, 0, 1]))
}

/// Policies and what is left under them.
fn left(standings: &[Standing]) -> Vec<(&str, u32)> {
    standings
        .iter()
        .map(|standing| (standing.bucket.policy().name(), standing.remaining))
        .collect()
}

#[tokio::test]
async fn a_client_is_looked_at_without_a_charge_and_let_in_again() {
    for (limiter, _clock) in limiters("admin").await {
        let app = start(&limiter).await;
        assert_eq!(limiter.buckets_of(client()).await.expect("a store"), []);
        for _ in 0..6 {
            app.status("/one").await;
        }
        assert_eq!(app.status("/one").await, 429);
        assert_eq!(app.status("/two").await, 200);

        let all = [("admin day", 99), ("admin one", 0), ("admin two", 6)];
        for _ in 0..3 {
            let found = limiter.buckets_of(client()).await.expect("a store");
            assert_eq!(left(&found), all);
            assert_eq!(found[1].reset_after, Duration::from_secs(3600));
            let peeked = limiter.peek(&found[1].bucket).await.expect("a store");
            assert_eq!(peeked, found[1]);
        }
        let other = ClientId::ip(IpAddr::from([127, 0, 0, 2]));
        assert_eq!(limiter.buckets_of(other).await.expect("a store"), []);

        let gone = limiter.reset_client(client()).await.expect("a store");
        assert_eq!(left(&gone), all);
        assert_eq!(limiter.buckets_of(client()).await.expect("a store"), []);
        assert_eq!(app.status("/one").await, 200, "at once");
    }
}

/// A source that is written by hand, with one limit of 1 an hour.
macro_rules! written {
    ($source:ident, $name:literal) => {
        struct $source;

        impl PolicySource for $source {
            type Identity = NoIdentity;

            fn limits() -> &'static [&'static Limit] {
                static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(1))];
                static LIMIT: Limit =
                    Limit::new(Policy::new($name, Algorithm::FixedWindow, &TIERS));
                static ALL: [&Limit; 1] = [&LIMIT];
                &ALL
            }
        }
    };
}

written!(OfALayer, "written for a layer");
written!(OfAHandler, "written for a handler");
written!(ByHand, "written for a check");
written!(OfAnotherHandler, "of another handler");

fn is_listed(name: &str) -> bool {
    let named = |policy: &Policy| policy.name() == name;
    policies()
        .iter()
        .any(|entry| entry.policies().into_iter().any(named))
}

async fn handler(nothing: RateLimited<OfAHandler, ()>) -> Response {
    let (responder, ()) = nothing.into_parts();
    responder.respond("done").await
}

#[tokio::test]
async fn policies_that_are_written_by_hand_are_found_and_reset() {
    for (limiter, _clock) in limiters("admin_written").await {
        let layered = Router::new()
            .route("/layer", get(async || "done"))
            .layer(RateLimitLayer::<OfALayer>::new());
        assert!(is_listed("written for a layer"), "before its first request");
        let router = Router::new()
            .route("/handler", get(handler))
            .merge(layered)
            .layer(Extension(limiter.clone()));
        let app = App::start(router).await;
        for path in ["/layer", "/handler"] {
            assert_eq!(app.status(path).await, 200, "{path}");
            assert_eq!(app.status(path).await, 429, "{path}");
        }
        let by_hand = ByHand::limits()[0].policy();
        let (parts, ()) = Request::new(()).into_parts();
        let caller = Caller::new(&parts).with_peer(Some([127, 0, 0, 1].into()));
        assert!(limiter.check(by_hand, caller).await.is_allowed());
        assert!(!limiter.check(by_hand, caller).await.is_allowed());

        let all = [
            ("written for a check", 0),
            ("written for a handler", 0),
            ("written for a layer", 0),
        ];
        let found = limiter.buckets_of(client()).await.expect("a store");
        assert_eq!(left(&found), all);
        let reset = limiter.reset_client(client()).await.expect("a store");
        assert_eq!(left(&reset), all);
        for path in ["/layer", "/handler"] {
            assert_eq!(app.status(path).await, 200, "{path}");
        }
        assert!(limiter.check(by_hand, caller).await.is_allowed());
        // Each of them once, however often it was seen.
        let entries = policies().into_iter();
        let written = entries
            .flat_map(PolicyEntry::policies)
            .filter(|policy| policy.name().starts_with("written for a"));
        assert_eq!(written.count(), 3);
    }
}

#[test]
fn a_source_is_known_before_its_first_request_if_the_builder_is_given_it() {
    assert!(!is_listed("of another handler"));
    let builder = RateLimiter::builder().policy_source::<OfAnotherHandler>();
    builder.build().expect("nothing is wrong with it");
    assert!(is_listed("of another handler"));
    let entries = policies();
    let mut entries = entries.iter();
    let entry = entries.find(|entry| entry.name().ends_with("::OfAnotherHandler"));
    let entry = entry.expect("its entry");
    assert!(entry.file().is_some_and(|file| file.ends_with("admin.rs")));
    assert!(entry.line().is_some());
}

#[test]
fn two_sources_of_one_name_are_an_error_that_says_where_they_are() {
    written!(First, "two of one name");
    written!(Second, "two of one name");
    let builder = RateLimiter::builder().policy_source::<First>();
    let refused = builder.policy_source::<Second>().build();
    let said = refused.expect_err("two of one name").to_string();
    assert!(
        said.contains("two policies have the name \"two of one name\""),
        "{said}"
    );
    assert_eq!(said.matches("admin.rs:").count(), 2, "{said}");
    let builder = RateLimiter::builder().policy_source::<First>();
    let builder = builder.policy_source::<First>();
    builder
        .build()
        .expect("one source is one, however often it is given");
}

#[tokio::test]
async fn another_process_lets_the_client_in_within_a_second_or_so() {
    let server = RedisServer::start();
    let limiters = [limiter_on(&server).await, limiter_on(&server).await];
    let app = start(&limiters[0]).await;
    for _ in 0..5 {
        assert_eq!(app.status("/one").await, 200);
    }
    assert_eq!(app.status("/one").await, 429);
    limiters[1].reset_client(client()).await.expect("a store");
    let begin = std::time::Instant::now();
    while app.status("/one").await != 200 {
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "never asked again"
        );
    }
}

/// An operator who is called because a client's limits are not kept need not know which key it is.
#[tokio::test]
async fn a_client_with_a_corrupt_bucket_is_looked_at_and_reset_like_any_other() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    let mut redis = server.connection().await;
    assert_eq!(app.status("/two").await, 200);
    for kind in ["list", "long string"] {
        assert_eq!(app.status("/one").await, 200);
        let keys: Vec<String> = redis.keys("*admin one*").await.expect("keys");
        let [key] = &*keys else { panic!("{keys:?}") };
        let _: () = redis.del(key).await.expect("removed");
        let _: () = match kind {
            "list" => redis.rpush(key, "a list").await,
            _ => redis.set(key, "x".repeat(1_000_000)).await,
        }
        .expect("written");

        let all = [("admin day", 99), ("admin one", 0), ("admin two", 6)];
        let found = limiter.buckets_of(client()).await.expect("a store");
        assert_eq!(left(&found), all, "{kind}");
        let corrupt = found.iter().map(|standing| standing.is_corrupt);
        assert_eq!(corrupt.collect::<Vec<_>>(), [false, true, false], "{kind}");

        let reset = limiter.reset_client(client()).await.expect("a store");
        assert_eq!(left(&reset), all, "{kind}");
        assert_eq!(limiter.buckets_of(client()).await.expect("a store"), []);
        assert_eq!(app.status("/two").await, 200);
    }
}

/// The cached rejection goes in each process where an operator asks for it.
#[tokio::test]
async fn a_client_that_another_process_has_reset_is_let_in_at_once_when_it_is_reset_here_too() {
    let server = RedisServer::start();
    let limiters = [limiter_on(&server).await, limiter_on(&server).await];
    let app = start(&limiters[0]).await;
    for _ in 0..5 {
        assert_eq!(app.status("/one").await, 200);
    }
    assert_eq!(app.status("/one").await, 429);
    for limiter in limiters.iter().rev() {
        limiter.reset_client(client()).await.expect("a store");
    }
    assert_eq!(app.status("/one").await, 200);
}

#[tokio::test]
async fn a_key_is_put_on_a_tier_in_redis() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    let limit = async || {
        let request = app.get("/tiers").header("X-API-Key", "k-alice");
        let answer = request.send().await.expect("an answer");
        let limit = answer.headers()["x-ratelimit-limit"].to_str();
        limit.expect("text").to_owned()
    };
    assert_eq!(limit().await, "1");
    for (tier, expected) in [(Some("pro"), "100"), (Some("free"), "1"), (None, "1")] {
        limiter.set_tier("k-alice", tier).await.expect("a store");
        assert_eq!(limit().await, expected, "at once, and in this process");
    }
    let typo = limiter.set_tier("k-alice", Some("por")).await;
    let typo = typo.expect_err("no such tier").to_string();
    assert!(typo.contains("\"por\"") && typo.contains("free"), "{typo}");
    assert!(typo.contains("help: did you mean `pro`?"), "{typo}");
    let name = "x".repeat(10 << 20);
    let long = limiter.set_tier("k-alice", Some(&name)).await;
    let long = long.expect_err("no such tier").to_string();
    assert!(!long.contains("did you mean") && long.len() < 10_000);
    for key in [
        "",
        " ",
        " k-alice",
        "k-alice\t",
        "k\nalice",
        &"k".repeat(257),
    ] {
        let unsendable = limiter.set_tier(key, Some("pro")).await;
        assert!(matches!(unsendable, Err(SetTierError::NoApiKey)), "{key:?}");
    }

    let in_memory = RateLimiter::default();
    let elsewhere = in_memory.set_tier("k-alice", Some("pro")).await;
    assert!(matches!(elsewhere, Err(SetTierError::NotInStore)));
}
