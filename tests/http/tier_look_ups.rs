//! Tiers that are read from a Redis that is far away, or that does not answer.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderName, Request, request::Parts};
use futures_util::{FutureExt, future::join_all};
use ratelimit::{
    Algorithm, ApiKey, BuildError, Builder, Caller, KnownKey, ManualClock, MemoryStore,
    OnStoreError, Policy, Quota, RateLimiter, RedisStore, ResolveError, StaticTiers, Tier,
    TierResolver,
};
use ratelimit_tests::{Lag, Proxy, RedisServer, Trouble, eventually};
use redis::AsyncCommands;

use crate::{USUAL_TIMEOUT, notices::Log};

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

/// Also by requests that wait for the look-ups of others from their address.
#[tokio::test]
async fn a_redis_that_does_not_answer_is_waited_for_once_by_many_new_keys_at_once() {
    for keys_per_minute in [1, 60] {
        let server = RedisServer::start();
        let proxy = Proxy::start(server.port()).await;
        let limiter = loop {
            let builder = RedisStore::builder(proxy.url()).timeout(USUAL_TIMEOUT);
            if let Ok(store) = builder.connect().await {
                let builder = RateLimiter::builder().store(store);
                let builder = builder.unknown_keys_per_minute(keys_per_minute);
                break builder.build().expect("nothing is wrong with it");
            }
        };
        proxy.make(Trouble::BlackHole);
        let lag = Lag::measure();
        lag.worst();
        let begin = Instant::now();
        let all = (0..100).map(|n| {
            let limiter = &limiter;
            async move {
                let parts = request(&format!("k-{n}"));
                let caller = Caller::new(&parts).with_peer(Some(address("203.0.113.7")));
                limiter.check(&BY_KEY, caller).await
            }
        });
        let all = join_all(all).await;
        let took = begin.elapsed().saturating_sub(lag.worst());
        assert!(took < USUAL_TIMEOUT + Duration::from_millis(80), "{took:?}");
        let are_decided = all
            .iter()
            .all(|status| status.is_allowed() && status.is_degraded());
        assert!(are_decided);
    }
}

/// A client that cancels its look-ups is no outage, whose limits may be none.
#[tokio::test]
async fn a_client_that_cancels_look_ups_is_limited_by_redis_all_the_same() {
    static ONE: Policy = Policy::new(
        "tier look-up, one request",
        Algorithm::FixedWindow,
        &[Tier::new("free", Quota::per_hour(1))],
    )
    .with_tier_header(&HEADERS[0])
    .with_on_store_error(OnStoreError::Allow);

    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let store = RedisStore::builder(proxy.url()).timeout(Duration::from_secs(10));
    let builder = RateLimiter::builder().store(store.connect().await.expect("a redis-server"));
    let limiter = builder.unknown_keys_per_minute(1).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let (anonymous, ()) = Request::new(()).into_parts();
    let first = limiter.check(&ONE, Caller::new(&anonymous)).await;
    assert!(first.is_allowed() && !first.is_degraded());

    proxy.make(Trouble::Distance(Duration::from_millis(200)));
    let requests = [request("made-up-1"), request("made-up-2")];
    let [cancelled, waiting] = requests.each_ref().map(Caller::new);
    let mut cancelled = Box::pin(limiter.check(&ONE, cancelled));
    assert!((&mut cancelled).now_or_never().is_none());
    let mut waiting = Box::pin(limiter.check(&ONE, waiting));
    assert!((&mut waiting).now_or_never().is_none());
    drop(cancelled);
    let status = waiting.await;
    assert!(!status.is_allowed() && !status.is_degraded(), "{status:?}");
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

/// `HSET api_key:k-alice:usage n 1` is a hash of the application's, and its name is no API key.
#[tokio::test]
async fn a_hash_without_a_tier_is_no_key() {
    let server = RedisServer::start();
    let limiter = limiter(server.store().await);
    let mut connection = server.connection().await;
    for (name, field, value) in [
        ("api_key:k-alice", "tier", "pro"),
        ("api_key:k-alice:usage", "n", "1"),
        ("api_key:k-alice:usage", "TIER", "pro"),
    ] {
        let _: u32 = connection.hset(name, field, value).await.expect("HSET");
    }
    let peer = Some([203, 0, 113, 7].into());
    for (key, expected) in [
        ("k-alice", ("pro", Some(4_999))),
        ("k-alice:usage", ("free", Some(999))),
        ("k-bob", ("free", Some(998))),
    ] {
        let parts = request(key);
        let caller = Caller::new(&parts).with_peer(peer);
        let status = limiter.check(&BY_KEY, caller).await;
        let found = (status.tier().name(), status.remaining());
        assert_eq!(found, expected, "{key}");
    }
}

#[tokio::test]
async fn the_hashes_of_keys_can_have_another_prefix() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    for name in ["shop:key:k-alice", "api_key:k-bob"] {
        let _: u32 = connection.hset(name, "tier", "pro").await.expect("HSET");
    }
    let store = server.builder().tier_prefix("shop:key:").connect().await;
    let limiter = limiter(store.expect("a redis-server"));
    assert_eq!(tier(&limiter, None, "k-alice").await, "pro");
    assert_eq!(tier(&limiter, None, "k-bob").await, "free");
    let set = limiter.set_tier("k-bob", Some("pro")).await;
    set.expect("it is answered");
    assert_eq!(tier(&limiter, None, "k-bob").await, "pro");
    let set: Option<String> = connection
        .hget("shop:key:k-bob", "tier")
        .await
        .expect("HGET");
    assert_eq!(set.as_deref(), Some("pro"));

    for (prefix, problem) in [("", "must not be empty"), ("{a}:", "no braces")] {
        let refused = server.builder().tier_prefix(prefix).connect_lazily();
        let error = refused.expect_err("it would not work").to_string();
        assert!(
            error.contains("tier_prefix") && error.contains(problem),
            "{error}"
        );
    }
}

/// Knows the keys that begin with `known`, and counts what it is asked.
#[derive(Clone, Default)]
struct ByName(Arc<AtomicU64>);

impl TierResolver for ByName {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let is_known = key.as_bytes().starts_with(b"known");
        Ok(is_known.then(|| KnownKey::on_tier("pro")))
    }
}

struct Flooded {
    limiter: RateLimiter,
    clock: ManualClock,
    asked: Arc<AtomicU64>,
}

impl Flooded {
    fn new(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let (resolver, clock) = (ByName::default(), ManualClock::new());
        let asked = resolver.0.clone();
        let builder = RateLimiter::builder()
            .store(MemoryStore::new().with_clock(clock.clone()))
            .tier_resolver(resolver);
        let limiter = settings(builder).build();
        Self {
            limiter: limiter.expect("nothing is wrong with it"),
            clock,
            asked,
        }
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    async fn tier(&self, peer: impl Into<Option<IpAddr>>, key: &str) -> &'static str {
        tier(&self.limiter, peer, key).await
    }

    /// Ten thousand requests from an address, a hundred at a time, each with a key of its own.
    async fn flood(&self, peer: impl Into<Option<IpAddr>>, round: u32) {
        flood(&self.limiter, peer, round).await;
    }
}

async fn tier(limiter: &RateLimiter, peer: impl Into<Option<IpAddr>>, key: &str) -> &'static str {
    let parts = request(key);
    let caller = Caller::new(&parts).with_peer(peer.into());
    limiter.check(&BY_KEY, caller).await.tier().name()
}

async fn flood(limiter: &RateLimiter, peer: impl Into<Option<IpAddr>>, round: u32) {
    let peer = peer.into();
    for batch in 0..100 {
        let all = (0..100).map(|n| async move {
            let key = format!("made-up-{round}-{batch}-{n}");
            assert_eq!(tier(limiter, peer, &key).await, "free");
        });
        join_all(all).await;
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn random_keys_from_an_address_are_looked_up_sixty_times_a_minute() {
    let setup = Flooded::new(|builder| builder);
    let (attacker, other) = (address("198.51.100.9"), address("203.0.113.7"));
    assert_eq!(setup.tier(attacker, "known-neighbor").await, "pro");
    assert_eq!(setup.tier(other, "known").await, "pro");
    let before = setup.asked();
    setup.flood(attacker, 0).await;
    assert_eq!(setup.asked(), before + 60);

    assert_eq!(setup.tier(other, "known").await, "pro");
    assert_eq!(setup.tier(other, "known-2").await, "pro", "a new key");
    assert_eq!(setup.tier(attacker, "known-neighbor").await, "pro");
    assert_eq!(setup.tier(attacker, "known-2").await, "pro", "it is cached");
    assert_eq!(setup.tier(attacker, "known-3").await, "free", "a new key");

    // Keys that are out of date are renewed all the same.
    setup.clock.advance(Duration::from_secs(31));
    setup.flood(attacker, 1).await;
    assert_eq!(setup.tier(attacker, "known-neighbor").await, "pro");
    setup.clock.advance(Duration::from_secs(60));
    assert_eq!(setup.tier(attacker, "known-3").await, "pro");
}

#[tokio::test]
async fn an_ipv6_client_has_one_budget_for_its_network() {
    let setup = Flooded::new(|builder| builder.unknown_keys_per_minute(5));
    for n in 0..100 {
        let peer = address(&format!("2001:db8:1:2::{n:x}"));
        assert_eq!(setup.tier(peer, &format!("made-up-{n}")).await, "free");
    }
    assert_eq!(setup.asked(), 5);
    let mapped = address("::ffff:203.0.113.7");
    setup.flood(mapped, 0).await;
    setup.flood(address("203.0.113.7"), 1).await;
    assert_eq!(setup.asked(), 10);
}

#[tokio::test]
async fn the_client_behind_a_trusted_proxy_has_the_budget() {
    let setup = Flooded::new(|builder| {
        let builder = builder.trusted_proxies(["10.0.0.0/8"]);
        builder.unknown_keys_per_minute(5)
    });
    let check = async |client: &str, key: &str| {
        let mut parts = request(key);
        let value = client.parse().expect("a header value");
        parts.headers.insert("x-forwarded-for", value);
        let caller = Caller::new(&parts).with_peer(Some(address("10.0.0.1")));
        setup.limiter.check(&BY_KEY, caller).await.tier().name()
    };
    for n in 0..100 {
        assert_eq!(check("198.51.100.9", &format!("made-up-{n}")).await, "free");
    }
    assert_eq!(setup.asked(), 5);
    assert_eq!(check("203.0.113.7", "known").await, "pro");
}

/// All of them share one budget, as they share one bucket.
#[tokio::test]
async fn clients_without_addresses_share_a_budget() {
    let setup = Flooded::new(|builder| builder);
    assert_eq!(setup.tier(None, "known").await, "pro");
    setup.flood(None, 0).await;
    assert_eq!(setup.asked(), 61);
    assert_eq!(setup.tier(None, "known").await, "pro");
    assert_eq!(setup.tier(None, "known-2").await, "free");
}

#[tokio::test]
async fn a_flood_of_random_keys_is_one_line_that_names_no_key() {
    let (log, _guard) = Log::begin();
    let setup = Flooded::new(|builder| builder);
    setup.flood(address("198.51.100.9"), 0).await;
    let lines = log.lines();
    let about: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("unknown API keys"))
        .collect();
    let [line] = &*about else {
        panic!("{lines:?}");
    };
    assert!(line.contains("WARN"), "{line}");
    for said in [
        "ip:198.51.100.9",
        "trusted_proxies",
        "unknown_keys_per_minute",
    ] {
        assert!(line.contains(said), "{line}");
    }
    assert!(!lines.join("").contains("made-up"), "{lines:?}");
}

#[tokio::test]
async fn a_flood_of_random_keys_costs_redis_sixty_look_ups() {
    let server = RedisServer::start();
    let limiter = limiter(server.store().await);
    for key in ["k-alice", "k-neighbor", "k-new"] {
        let set = limiter.set_tier(key, Some("pro")).await;
        set.expect("it is answered");
    }
    let attacker = address("198.51.100.9");
    assert_eq!(tier(&limiter, attacker, "k-neighbor").await, "pro");
    let before = server.calls("hget").await;
    let begin = Instant::now();
    flood(&limiter, attacker, 0).await;
    let looked_up = server.calls("hget").await - before;
    // One more for each second.
    let seconds = begin.elapsed().as_secs() + 1;
    assert!((60..=60 + seconds).contains(&looked_up), "{looked_up}");
    assert_eq!(tier(&limiter, attacker, "k-neighbor").await, "pro");
    assert_eq!(
        tier(&limiter, address("203.0.113.7"), "k-alice").await,
        "pro"
    );
    // An operator's change holds at once in this process, also from there.
    let set = limiter.set_tier("k-new", Some("pro")).await;
    set.expect("it is answered");
    assert_eq!(tier(&limiter, attacker, "k-new").await, "pro");
}

/// 10 MB as the tier of a key are neither fetched nor logged whole.
#[tokio::test]
async fn a_tier_is_read_in_bounded_room() {
    let server = RedisServer::start();
    let limiter = limiter(server.store().await);
    let mut connection = server.connection().await;
    let tier_of_10_mb = format!("pro\n{}", "x".repeat(10 << 20));
    let added: u32 = connection
        .hset("api_key:k-alice", "tier", &tier_of_10_mb)
        .await
        .expect("HSET");
    assert_eq!(added, 1);
    let sent = async || {
        let stats: String = redis::cmd("INFO")
            .arg("stats")
            .query_async(&mut server.connection().await)
            .await
            .expect("statistics");
        let line = "total_net_output_bytes:";
        let bytes = stats.lines().find_map(|stat| stat.strip_prefix(line));
        bytes.expect("a number").parse::<u64>().expect("a number")
    };
    let (log, _guard) = Log::begin();
    let before = sent().await;
    assert_eq!(tier(&limiter, None, "k-alice").await, "free");
    let bytes = sent().await - before;
    assert!(bytes < 100_000, "{bytes} bytes");
    let lines = log.lines();
    let longest = lines.iter().map(String::len).max();
    assert!(longest < Some(1_000), "{longest:?}");
    assert!(
        lines.iter().any(|line| line.contains(r"pro\nxxx")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_tier_that_no_policy_declares_is_logged_once() {
    let server = RedisServer::start();
    let limiter = limiter(server.store().await);
    let mut connection = server.connection().await;
    for (key, tier) in [
        ("k-1", "por"),
        ("k-2", "por"),
        ("k-3", "platinum"),
        ("k-4", ""),
        ("k-5", "free"),
    ] {
        let name = format!("api_key:{key}");
        let _: u32 = connection.hset(name, "tier", tier).await.expect("HSET");
    }
    let (log, _guard) = Log::begin();
    for _ in 0..3 {
        for key in ["k-1", "k-2", "k-3", "k-4", "k-5"] {
            let peer = address("203.0.113.7");
            assert_eq!(tier(&limiter, peer, key).await, "free");
        }
    }
    let lines = log.lines();
    let [first, second] = &*lines else {
        panic!("{lines:?}");
    };
    for said in [
        "WARN",
        "tier=\"por\"",
        "declared=\"free, pro\"",
        "did you mean `pro`?",
        "tier look-up",
    ] {
        assert!(first.contains(said), "{first}");
    }
    assert!(second.contains("tier=\"platinum\""), "{second}");
    assert!(!second.contains("did you mean"), "{second}");
    for key in ["k-1", "k-2", "k-3"] {
        assert!(!lines.join("").contains(key), "{lines:?}");
    }
}

#[test]
fn a_budget_that_cannot_be_is_an_error_that_names_the_setting() {
    let error = |builder: Builder| match builder.build() {
        Ok(_) => panic!("nothing is wrong with it"),
        Err(error) => (error.to_string(), error),
    };
    for keys in [0, 1_000_001, u32::MAX] {
        let builder = RateLimiter::builder().tier_resolver(ByName::default());
        let (said, error) = error(builder.unknown_keys_per_minute(keys));
        assert!(matches!(error, BuildError::UnknownKeysPerMinute(n) if n == keys));
        assert!(said.starts_with("unknown_keys_per_minute"), "{said}");
    }
    let table = StaticTiers::new([("k-alice", "pro")]);
    for builder in [RateLimiter::builder(), RateLimiter::builder().tiers(table)] {
        let (said, error) = error(builder.unknown_keys_per_minute(1));
        assert!(matches!(error, BuildError::CacheWithoutResolver), "{said}");
        assert!(said.contains("unknown_keys_per_minute"), "{said}");
    }
}
