//! What is wrong with the app's set-up is logged once, with the way to mend it.

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, Router, http::Request, routing::get};
use ratelimit::{
    Algorithm, ApiKey, Bucket, Builder, Caller, Charge, ClientId, Decision, Figures, FleetBypass,
    FleetReport, FleetStore, ForwardedHeader, Key, KnownKey, ManualClock, MemoryStore, Policy,
    Quota, RateLimiter, ResolveError, StaticTiers, Store, StoreError, Tier, TierResolver,
    rate_limit,
};
use ratelimit_tests::{App, RedisServer, eventually};
use tracing::{
    Dispatch,
    subscriber::{DefaultGuard, NoSubscriber},
};

use super::{KEYS, limiter_on};

#[rate_limit(tier_header = "X-API-Key", free = 100, pro = 600, name = "noticed")]
async fn tiered() {}

/// What is logged on this thread, where the test's server runs as well.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As long as there is one subscriber, `tracing` has the thread that comes to a line first decide
/// whether it is ever logged, and that may be another test's, which has no subscriber.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

impl Log {
    pub(crate) fn begin() -> (Self, DefaultGuard) {
        LazyLock::force(&ANOTHER);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("not poisoned");
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }
}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/", get(tiered))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn without_addresses_the_missing_line_is_named_once() {
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().tiers(StaticTiers::new(KEYS)).build();
    let router = router(limiter.expect("nothing is wrong with it"));
    let app = App::start_without_connect_info(router).await;
    for _ in 0..5 {
        assert_eq!(app.status("/").await, 200);
    }
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(line.contains("WARN"), "{line}");
    assert!(
        line.contains("into_make_service_with_connect_info::<std::net::SocketAddr>()"),
        "{line}"
    );
}

/// A request from a peer, if it has an address, with these headers.
async fn send_from(limiter: &RateLimiter, peer: Option<&str>, headers: &[(&str, &str)]) {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let (parts, ()) = request.into_parts();
    let peer = peer.map(|peer| peer.parse().expect("an address"));
    let caller = Caller::new(&parts).with_peer(peer);
    let entries = ratelimit::policies();
    let mut entries = entries.iter().flat_map(|entry| entry.policies());
    let policy = entries.find(|policy| policy.name() == "noticed");
    let policy = policy.expect("a policy of this module");
    assert!(limiter.check(policy, caller).await.is_allowed());
}

/// Settings, a peer, a header that it sends, and what the log says of it; nothing if that is empty.
struct Case<'a>(Builder, Option<&'a str>, (&'a str, &'a str), &'a [&'a str]);

async fn assert_said_once(cases: Vec<Case<'_>>) {
    for Case(builder, peer, header, said) in cases {
        let (log, _guard) = Log::begin();
        let case = format!("{peer:?} {header:?} {builder:?}");
        let limiter = builder.tiers(StaticTiers::new(KEYS)).build();
        let limiter = limiter.expect("nothing is wrong with it");
        for _ in 0..3 {
            send_from(&limiter, peer, &[header]).await;
        }
        let lines = log.lines();
        assert_eq!(
            lines.len(),
            usize::from(!said.is_empty()),
            "{case}: {lines:?}"
        );
        for (line, said) in said.iter().map(|said| (&lines[0], said)) {
            assert!(
                line.contains("WARN") && line.contains(said),
                "{case}: {line}"
            );
            assert!(!line.contains("mallory"), "{line}");
        }
    }
}

const LISTED: (&str, &str) = ("x-forwarded-for", "203.0.113.7");
const FORWARDED: (&str, &str) = ("forwarded", "for=203.0.113.7");
const REAL_IP: (&str, &str) = ("x-real-ip", "203.0.113.7");
const NONE: (&str, &str) = ("accept", "*/*");

fn trusting() -> Builder {
    RateLimiter::builder().trusted_proxies(["10.0.0.1"])
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_said_once_with_the_fix() {
    let builder = RateLimiter::builder;
    let mut cases = vec![
        Case(
            trusting(),
            Some("10.0.0.2"),
            LISTED,
            &[r#"add .trusted_proxies(["10.0.0.2"]) to"#],
        ),
        Case(
            builder(),
            Some("192.168.0.1"),
            FORWARDED,
            &[r#"(["192.168.0.1"]).forwarded_header(ForwardedHeader::Forwarded)"#],
        ),
        Case(
            builder(),
            Some("172.16.0.1"),
            REAL_IP,
            &[r#"ForwardedHeader::Address(HeaderName::from_static("x-real-ip"))"#],
        ),
        Case(
            builder(),
            None,
            LISTED,
            &[
                "add .trusted_socket() to",
                "into_make_service_with_connect_info",
            ],
        ),
        Case(trusting(), None, LISTED, &[".trusted_socket()"]),
        // Clients of the internet, or of one's own network, that send what they like.
        Case(builder(), Some("203.0.113.7"), LISTED, &[]),
        Case(builder(), Some("100.128.0.1"), LISTED, &[]),
        Case(builder(), Some("2001:db8::1"), LISTED, &[]),
        Case(builder(), Some("10.0.0.1"), NONE, &[]),
    ];
    let internal = [
        "127.0.0.1",
        "169.254.1.1",
        "100.127.0.1",
        "fd00::1",
        "fe80::1",
        "::1",
    ];
    let fixes = internal.map(|peer| format!(r#"add .trusted_proxies(["{peer}"]) to"#));
    let fixes = fixes.each_ref().map(|fix| [fix.as_str()]);
    for (peer, fix) in internal.iter().zip(&fixes) {
        cases.push(Case(builder(), Some(peer), LISTED, fix));
    }
    cases.push(Case(builder(), Some("::ffff:127.0.0.1"), LISTED, &fixes[0]));
    assert_said_once(cases).await;
}

#[tokio::test]
async fn a_trusted_proxy_that_does_not_state_its_clients_is_said_once() {
    let peer = Some("10.0.0.1");
    let builder = RateLimiter::builder;
    assert_said_once(vec![
        Case(
            trusting(),
            peer,
            FORWARDED,
            &[
                "does not send x-forwarded-for",
                "(ForwardedHeader::Forwarded)",
            ],
        ),
        Case(
            trusting().forwarded_header(ForwardedHeader::Forwarded),
            peer,
            LISTED,
            &[
                "does not send forwarded",
                "(ForwardedHeader::XForwardedFor)",
            ],
        ),
        Case(
            trusting(),
            peer,
            ("x-forwarded-for", "<mallory>"),
            &["without an address that can be read"],
        ),
        Case(
            trusting().exempt_networks(["10.0.0.0/8"]),
            peer,
            NONE,
            &["10.0.0.1", "exempt_networks"],
        ),
        Case(trusting(), peer, LISTED, &[]),
        // Its own requests, such as health checks.
        Case(trusting(), peer, NONE, &[]),
        Case(builder().trusted_socket(), None, LISTED, &[]),
        Case(builder().trusted_hops(1), Some("10.0.0.2"), LISTED, &[]),
    ])
    .await;
}

#[tokio::test]
async fn tiers_that_nobody_can_be_on_are_said_once() {
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().build();
    let app = App::start(router(limiter.expect("nothing is wrong with it"))).await;
    for _ in 0..5 {
        let request = app.get("/").header("x-api-key", "s3cret");
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains("noticed"), "{line}");
    assert!(line.contains("RateLimiter::builder().tiers("), "{line}");
    assert!(!line.contains("s3cret"), "{line}");
}

#[tokio::test]
async fn a_host_that_no_setting_believes_is_said_once() {
    static BY_HOST: Policy = Policy::new(
        "by a host that is not believed",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_minute(2))],
    )
    .with_key(Key::Host);
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().build();
    let limiter = limiter.expect("nothing is wrong with it");
    let address = IpAddr::from([203, 0, 113, 7]);
    for (host, is_allowed) in [
        ("a.example", true),
        ("b.example", true),
        ("c.example", false),
    ] {
        let request = Request::get("/").header("host", host).body(());
        let (parts, ()) = request.expect("a request").into_parts();
        let caller = Caller::new(&parts).with_peer(Some(address));
        let status = limiter.check(&BY_HOST, caller).await;
        assert_eq!(status.is_allowed(), is_allowed, "{host}");
    }
    let lines = log.lines().into_iter();
    let lines: Vec<String> = lines.filter(|line| line.contains("WARN")).collect();
    let [line] = &*lines else {
        panic!("{lines:?}");
    };
    assert!(line.contains("by a host that is not believed"), "{line}");
    assert!(line.contains("RateLimiter::builder().hosts(["), "{line}");
}

#[rate_limit(limit = 1, shadow, name = "tried out here")]
async fn in_shadow() {}

#[tokio::test]
async fn a_shadow_says_once_a_second_whom_it_would_have_turned_away() {
    let (log, _guard) = Log::begin();
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let limiter = RateLimiter::builder().store(store).build();
    let router = Router::new()
        .route("/", get(in_shadow))
        .layer(Extension(limiter.expect("nothing is wrong with it")));
    let app = App::start(router).await;
    for _ in 0..8 {
        assert_eq!(app.status("/").await, 200);
    }
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(line.contains("tried out here"), "{line}");
    assert!(line.contains("would have been turned away"), "{line}");
    assert!(line.contains("left_out=0"), "{line}");
    clock.advance(Duration::from_secs(1));
    assert_eq!(app.status("/").await, 200);
    let [_, line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(line.contains("left_out=6"), "{line}");
}

#[rate_limit(limit = 1, key = header("x-user"), name = "by a user's name")]
async fn by_user() {}

#[tokio::test]
async fn a_client_whose_name_can_be_guessed_is_logged_by_a_digest_with_a_secret() {
    const SECRET: &str = "a secret of thirty-two characters";
    const USER: &str = "alice@example.com";

    let (log, _guard) = Log::begin();
    let client = ClientId::header(USER.as_bytes());
    let with_secret = || RateLimiter::builder().client_digest_secret(SECRET);
    let mut digests = Vec::new();
    for builder in [with_secret(), with_secret(), RateLimiter::builder()] {
        let limiter = builder.build().expect("nothing is wrong with it");
        let digest = limiter.client_digest(client);
        let router = Router::new().route("/", get(by_user));
        let app = App::start(router.layer(Extension(limiter))).await;
        for status in [200, 429] {
            let request = app.get("/").header("x-user", USER);
            assert_eq!(request.send().await.expect("an answer").status(), status);
        }
        let line = log.lines().pop().expect("a line");
        assert!(line.contains(&format!("client=\"{digest}\"")), "{line}");
        digests.push(digest);
    }
    assert_eq!(digests[0], digests[1], "in all processes with the secret");
    assert_ne!(digests[0], digests[2]);
    let all = log.lines().join(" ");
    let id = client.to_string();
    let (_, digits) = id.split_once(':').expect("a kind and digits");
    for unsaid in [USER, SECRET, &digits[..8]] {
        assert!(!all.contains(unsaid), "{all}");
    }
}

#[rate_limit(limit = 100, key = path("id"), name = "by a parameter")]
async fn by_parameter() {}

#[tokio::test]
async fn a_parameter_that_the_route_does_not_have_is_said_once() {
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().build();
    let router = Router::new()
        .route("/{other}", get(by_parameter))
        .layer(Extension(limiter.expect("nothing is wrong with it")));
    let app = App::start(router).await;
    for _ in 0..3 {
        assert_eq!(app.status("/x").await, 200);
    }
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(
        line.contains("`id`") && line.contains("by a parameter"),
        "{line}"
    );
}

#[tokio::test]
async fn a_complete_set_up_says_nothing() {
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().tiers(StaticTiers::new(KEYS)).build();
    let app = App::start(router(limiter.expect("nothing is wrong with it"))).await;
    for key in ["", "k-pro", "nobody's"] {
        let request = app.get("/").header("x-api-key", key);
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    assert_eq!(log.lines(), Vec::<String>::new());
}

/// Fails for keys that end in an odd digit.
struct FailsForOddKeys;

impl TierResolver for FailsForOddKeys {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        match key.as_bytes() {
            [.., digit] if digit % 2 == 1 => Err(ResolveError::new("the digit is odd")),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn look_ups_of_which_some_fail_are_one_line() {
    let (log, _guard) = Log::begin();
    let limiter = RateLimiter::builder().tier_resolver(FailsForOddKeys);
    let app = App::start(router(limiter.build().expect("nothing is wrong with it"))).await;
    for n in 0..50 {
        let request = app.get("/").header("x-api-key", format!("k-{n}"));
        assert_eq!(request.send().await.expect("an answer").status(), 200);
    }
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(
        line.contains("WARN") && line.contains("the digit is odd"),
        "{line}"
    );
    assert!(!line.contains("k-"), "{line}");
}

#[tokio::test]
async fn a_redis_that_keeps_nothing_on_disk_is_said_once() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start();
    server.store().await;
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(
        line.contains("WARN") && line.contains("`appendonly yes`"),
        "{line}"
    );

    let setting = ["SET", "appendonly", "yes"];
    let _: () = redis::cmd("CONFIG")
        .arg(&setting)
        .query_async(&mut server.connection().await)
        .await
        .expect("it is set");
    server.store().await;
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
}

#[tokio::test]
async fn a_use_of_a_bypass_secret_is_logged_without_it() {
    const SECRET: &str = "a secret of thirty-two characters";
    let server = RedisServer::start();
    let store = server.builder().leases().connect().await;
    let limiter = RateLimiter::builder()
        .store(store.expect("a redis-server"))
        .bypass_secret(SECRET)
        .build();
    let app = App::start(router(limiter.expect("nothing is wrong with it"))).await;
    // From now on there are slices, and checks are first tried out of them.
    assert_eq!(app.status("/").await, 200);

    let (log, _guard) = Log::begin();
    let request = app.get("/").header("x-ratelimit-bypass", SECRET);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(line.contains("WARN") && line.contains("noticed"), "{line}");
    assert!(!line.contains(SECRET), "{line}");
}

#[tokio::test]
async fn an_outage_is_said_when_it_begins_and_when_it_ends() {
    let server = RedisServer::start();
    let port = server.port();
    let app = App::start(router(limiter_on(&server).await)).await;
    assert_eq!(app.status("/").await, 200);

    let (log, _guard) = Log::begin();
    drop(server);
    for _ in 0..50 {
        assert_eq!(app.status("/").await, 200);
    }
    let [first] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(first.contains("ERROR"), "{first}");
    assert!(first.contains(&format!("127.0.0.1:{port}")), "{first}");

    let _server = RedisServer::start_on(port).expect("the port is free again");
    let begin = Instant::now();
    while log.lines().len() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(5), "never said");
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        assert_eq!(app.status("/").await, 200);
    }
    let [_, ended] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(
        ended.contains("INFO") && ended.contains("answers again"),
        "{ended}"
    );
}

/// A store whose buckets are in memory, with a fault or without.
#[derive(Default)]
struct Faulty {
    memory: MemoryStore,
    is_in_process: bool,
    /// Its answer to each check: an error, or no decision.
    error: Option<&'static str>,
    has_no_decisions: bool,
    fleet: NoFleet,
}

impl Store for Faulty {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        match self.error {
            Some(error) => Err(StoreError::new(error)),
            None if self.has_no_decisions => Ok(Vec::new()),
            None => self.memory.check_all(charges).await,
        }
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.memory.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.memory.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.memory.reset(bucket).await
    }

    fn is_in_process(&self) -> bool {
        self.is_in_process
    }

    fn fleet_store(&self) -> Option<impl FleetStore> {
        Some(self.fleet.clone())
    }
}

/// Stats and a bypass that cannot be read or written, and how often that was tried.
#[derive(Clone, Default)]
struct NoFleet(Arc<AtomicUsize>);

impl NoFleet {
    fn fail<T>(&self) -> Result<T, StoreError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::new("there is no such table"))
    }
}

impl FleetStore for NoFleet {
    async fn publish(&self, _: &FleetReport) -> Result<(), StoreError> {
        self.fail()
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        self.fail()
    }

    async fn bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        self.fail()
    }

    async fn set_bypass(&self, _: Option<&FleetBypass>) -> Result<(), StoreError> {
        self.fail()
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_store_in_this_process_is_said_once() {
    let faults = [
        (Some("its lock is poisoned"), "its lock is poisoned"),
        (None, "it returned 0 decisions for 1 charges"),
    ];
    for (error, said) in faults {
        let (log, _guard) = Log::begin();
        let limiter = RateLimiter::builder().store(Faulty {
            is_in_process: true,
            error,
            has_no_decisions: true,
            ..Faulty::default()
        });
        let router = Router::new().route("/", get(in_shadow)).layer(Extension(
            limiter.build().expect("nothing is wrong with it"),
        ));
        let app = App::start(router).await;
        for _ in 0..5 {
            assert_eq!(app.status("/").await, 200);
        }
        let lines = log.lines().into_iter().filter(|line| line.contains(said));
        let [line] = &*lines.collect::<Vec<_>>() else {
            panic!("{:?}", log.lines());
        };
        assert!(line.contains("ERROR"), "{line}");
    }
}

#[tokio::test]
async fn stats_that_cannot_be_shared_are_said_once_and_are_no_outage() {
    let (log, _guard) = Log::begin();
    let fleet = NoFleet::default();
    let store = Faulty {
        fleet: fleet.clone(),
        ..Faulty::default()
    };
    let limiter = RateLimiter::builder().store(store).build();
    let limiter = limiter.expect("nothing is wrong with it");
    // More than open the circuit breaker.
    let is_tried = async || fleet.0.load(Ordering::Relaxed) > 4;
    eventually("a few failures", is_tried).await;
    let health = limiter.store_health().expect("it may be unavailable");
    assert!(health.is_up && health.outages == 0, "{health:?}");
    let [line] = &*log.lines() else {
        panic!("{:?}", log.lines());
    };
    assert!(
        line.contains("WARN") && line.contains("no such table"),
        "{line}"
    );
    let shared = limiter.start_bypass("an incident", Duration::from_secs(60));
    assert!(shared.await.is_err());
    assert!(limiter.bypass().is_some(), "in this process");
}
