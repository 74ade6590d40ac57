//! Tiers that are read from a Redis that is far away, or that does not answer.

use std::time::{Duration, Instant};

use axum::http::{HeaderName, Request, request::Parts};
use ratelimit::{Algorithm, Caller, ManualClock, Policy, Quota, RateLimiter, RedisStore, Tier};
use ratelimit_tests::{Lag, Proxy, RedisServer, Trouble, eventually};
use redis::AsyncCommands;

use crate::USUAL_TIMEOUT;

static HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-partner-key"),
];
static TIERS: [Tier; 2] = [
    Tier::new("free", Quota::per_hour(1_000)),
    Tier::new("pro", Quota::per_hour(5_000)),
];
static BY_KEY: Policy =
    Policy::new("tier look-up", Algorithm::FixedWindow, &TIERS).with_tier_header(&HEADERS[0]);
static ALSO_BY_KEY: Policy =
    Policy::new("tier look-up 2", Algorithm::TokenBucket, &TIERS).with_tier_header(&HEADERS[0]);
static BY_PARTNER: Policy =
    Policy::new("tier look-up 3", Algorithm::FixedWindow, &TIERS).with_tier_header(&HEADERS[1]);

/// A request with this key in each of the headers.
fn request(key: &str) -> Parts {
    let request = HEADERS.iter().fold(Request::builder(), |request, header| {
        request.header(header, key)
    });
    request.body(()).expect("a request").into_parts().0
}

/// Long enough for an answer also on a busy machine, and short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(400);

fn limiter(store: RedisStore) -> RateLimiter {
    let limiter = RateLimiter::builder().store(store).build();
    limiter.expect("nothing is wrong with it")
}

/// A limiter that reaches its Redis through a proxy. Connecting has the same timeout, so it may take
/// more than one attempt.
async fn limiter_through(proxy: &Proxy, timeout: Duration, clock: &ManualClock) -> RateLimiter {
    for _ in 0..20 {
        let builder = RedisStore::builder(proxy.url()).timeout(timeout);
        if let Ok(store) = builder.clock(clock.clone()).connect().await {
            return limiter(store);
        }
    }
    panic!("no connection in 20 attempts");
}

/// The round trip takes more than half of the timeout, so that two never fit into it. On a busy machine
/// one may not fit either.
#[tokio::test]
async fn a_tier_is_read_from_a_distant_redis_without_an_outage() {
    const ATTEMPTS: usize = 3;

    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let clock = ManualClock::new();
    let limiter = limiter_through(&proxy, TIMEOUT, &clock).await;
    for n in 0..ATTEMPTS {
        let set = limiter.set_tier(&format!("k-{n}"), Some("pro")).await;
        set.expect("it is answered");
    }
    proxy.make(Trouble::Delay(TIMEOUT * 56 / 100));
    let look_ups = async || server.calls("hget").await;
    for round in [
        "the first check of a key",
        "the first check after its tier_ttl",
    ] {
        let mut is_degraded = true;
        for n in 0..ATTEMPTS {
            let (parts, before) = (request(&format!("k-{n}")), look_ups().await);
            let policies = [&BY_KEY, &ALSO_BY_KEY];
            let status = limiter.check_all(&policies, Caller::new(&parts)).await;
            assert_eq!(look_ups().await, before + 1, "one for both policies");
            is_degraded = status.is_degraded();
            if !is_degraded {
                assert_eq!(status.tier().name(), "pro");
                break;
            }
        }
        assert!(!is_degraded, "{round}, in {ATTEMPTS} attempts");
        clock.advance(Duration::from_secs(30));
    }
}

#[tokio::test]
async fn a_redis_that_does_not_answer_is_waited_for_once_also_by_a_request_with_new_keys() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let limiter = limiter_through(&proxy, USUAL_TIMEOUT, &ManualClock::new()).await;
    proxy.make(Trouble::BlackHole);
    let lag = Lag::measure();
    for n in 0..20 {
        let parts = request(&format!("k-{n}"));
        lag.worst();
        let begin = Instant::now();
        let policies = [&BY_KEY, &BY_PARTNER];
        let status = limiter.check_all(&policies, Caller::new(&parts)).await;
        let took = begin.elapsed().saturating_sub(lag.worst());
        assert!(took < USUAL_TIMEOUT + Duration::from_millis(50), "{took:?}");
        assert!(status.is_allowed() && status.is_degraded());
    }
}

/// What was leased is spent while Redis does not answer.
#[tokio::test]
async fn a_slice_needs_no_redis_also_for_a_request_with_a_new_key() {
    static LEASED: Policy = Policy::new("tier look-up, leased", Algorithm::TokenBucket, &TIERS)
        .with_tier_header(&HEADERS[0])
        .with_lease();

    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    // Its time stands still, so that no slice ends.
    let limiter = limiter_through(&proxy, TIMEOUT, &ManualClock::new()).await;
    let (anonymous, ()) = Request::new(()).into_parts();
    let check = async |parts| limiter.check(&LEASED, Caller::new(parts)).await;
    // Slices double: of the first in which three requests are checked there is one more.
    eventually("a slice with a rest", async || {
        let before = server.calls("evalsha").await;
        check(&anonymous).await;
        check(&anonymous).await;
        server.calls("evalsha").await == before
    })
    .await;
    proxy.make(Trouble::BlackHole);
    let status = check(&request("k-new")).await;
    assert!(status.is_allowed() && !status.is_degraded(), "{status:?}");
}

#[tokio::test]
async fn a_tier_that_may_have_been_set_is_read_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let clock = ManualClock::new();
    let limiter = limiter_through(&proxy, TIMEOUT, &clock).await;
    let parts = request("k-alice");
    let tier = async || {
        let status = limiter.check(&BY_KEY, Caller::new(&parts)).await;
        status.tier().name()
    };
    assert_eq!(tier().await, "free");
    proxy.make(Trouble::Delay(TIMEOUT * 3));
    let set = limiter.set_tier("k-alice", Some("pro")).await;
    set.expect_err("the answer is late");
    proxy.make(Trouble::None);
    // A look-up that fails is repeated after a second. What was cached before would hold for 5.
    let mut seen = tier().await;
    for _ in 0..4 {
        if seen != "pro" {
            clock.advance(Duration::from_secs(1));
            seen = tier().await;
        }
    }
    assert_eq!(seen, "pro");
}

/// What an application has on its keys is its own.
#[tokio::test]
async fn a_key_is_known_by_its_tier_and_no_other_field_is_touched() {
    let server = RedisServer::start();
    let limiter = limiter(server.store().await);
    let mut connection = server.connection().await;
    let owner: (&str, &str) = ("owner", "alice");
    let added: u32 = connection
        .hset("api_key:k-alice", owner.0, owner.1)
        .await
        .expect("HSET");
    assert_eq!(added, 1);
    let parts = request("k-alice");
    let peer = Some([203, 0, 113, 7].into());
    let check = async || {
        let caller = Caller::new(&parts).with_peer(peer);
        let status = limiter.check(&BY_KEY, caller).await;
        (status.tier().name(), status.remaining())
    };
    assert_eq!(check().await, ("free", Some(999)), "by the address");
    let set = limiter.set_tier("k-alice", Some("pro")).await;
    set.expect("it is answered");
    assert_eq!(check().await, ("pro", Some(4_999)));
    limiter
        .set_tier("k-alice", None)
        .await
        .expect("it is answered");
    assert_eq!(check().await, ("free", Some(998)), "by the address again");
    let left: Vec<(String, String)> = connection
        .hgetall("api_key:k-alice")
        .await
        .expect("HGETALL");
    assert_eq!(left, [("owner".to_owned(), "alice".to_owned())]);

    let added: u32 = connection
        .hset("api_key:k-bob", "tier", "")
        .await
        .expect("HSET");
    assert_eq!(added, 1);
    let parts = request("k-bob");
    let caller = Caller::new(&parts).with_peer(peer);
    let status = limiter.check(&BY_KEY, caller).await;
    assert_eq!(
        (status.tier().name(), status.remaining()),
        ("free", Some(999))
    );
}
