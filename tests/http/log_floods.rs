//! A flood of requests is a line a second in the log, whatever is wrong with them or with the store, and
//! no line is long.

use std::{
    cell::Cell,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    http::{HeaderName, Request, request::Parts},
    routing::get,
};
use futures_util::future::join_all;
use ratelimit::{
    Algorithm, ApiKey, Bucket, Caller, Charge, ClientId, Decision, KnownKey, ManualClock,
    MemoryStore, Policy, Quota, RateLimitStatus, RateLimiter, ResolveError, Store, StoreError,
    Tier, TierResolver,
};
use ratelimit_tests::{App, RedisServer, eventually};
use redis::AsyncCommands;

use super::{limiter_on, notices::Log};

static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(1))];
static POLICY: Policy = Policy::new("flooded", Algorithm::FixedWindow, &TIERS);
static SHADOW: Policy =
    Policy::new("flooded in shadow", Algorithm::FixedWindow, &TIERS).with_shadow();
static WAIT: Policy = Policy::new(
    "flooded and waited for",
    Algorithm::TokenBucket,
    &[Tier::new(
        "default",
        Quota::new(1, Duration::from_millis(20)),
    )],
)
.with_wait(Duration::from_millis(60));

/// Longer than what a line may show of it, with what would make several lines of it.
fn foreign() -> String {
    "no\nsuch\u{2028}table\r ".repeat(10_000)
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(format!("/{}", "x".repeat(10_000)));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a request").into_parts().0
}

fn caller(parts: &Parts, address: u8) -> Caller<'_> {
    Caller::new(parts).with_peer(Some([203, 0, 113, address].into()))
}

/// Has these requests come over and over for longer than a second, and returns how many lines of each
/// kind that logged, by their level, their target and how they begin.
async fn flood<F: Future<Output = ()>>(log: &Log, mut requests: impl FnMut() -> F) -> usize {
    const TIME: Duration = Duration::from_millis(1_200);
    let began = Instant::now();
    while began.elapsed() < TIME {
        requests().await;
        // The application's other tasks, such as a breaker's probes, get their turn.
        tokio::task::yield_now().await;
    }
    let at_most = usize::try_from(began.elapsed().as_secs()).expect("few") + 1;
    let mut kinds = BTreeMap::<String, usize>::new();
    for line in log.lines() {
        assert!(line.len() < 1_500, "{} bytes: {line:.300}", line.len());
        let (_, rest) = line.split_once("Z ").expect("each line begins with a time");
        *kinds.entry(rest.chars().take(60).collect()).or_default() += 1;
    }
    for (kind, lines) in &kinds {
        assert!(*lines <= at_most, "{lines} lines of {kind}: {kinds:#?}");
    }
    kinds.len()
}

/// Puts a list in place of the bucket of a client.
async fn poison(server: &RedisServer, limiter: &RateLimiter, address: u8) {
    limiter.check(&POLICY, caller(&request(&[]), address)).await;
    let client = ClientId::ip([203, 0, 113, address].into());
    let mut redis = server.connection().await;
    let keys: Vec<String> = redis.keys(format!("*{client}*")).await.expect("keys");
    let [key] = &*keys else {
        panic!("{keys:?} for {client}");
    };
    let _: () = redis.del(key).await.expect("removed");
    let _: () = redis.rpush(key, "a list").await.expect("pushed");
}

#[tokio::test]
async fn decisions_of_different_clocks_are_a_line_a_second() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let poisoned = ClientId::ip([203, 0, 113, 1].into());
    let bucket = Bucket::new(&POLICY, &TIERS[0], poisoned).expect("limited");
    let parts = request(&[]);
    poison(&server, &limiter, 1).await;

    let (log, _guard) = Log::begin();
    let kinds = flood(&log, async || {
        // One is decided in this process, and the other one by Redis.
        for address in [1, 2] {
            limiter.check(&POLICY, caller(&parts, address)).await;
        }
    });
    assert_eq!(
        kinds.await,
        2,
        "rejections and the bucket: {:?}",
        log.lines()
    );
    let lines = log.lines();
    let said = lines.iter().find(|line| line.contains("is no bucket"));
    let said = said.expect("a line about the bucket");
    for part in [
        "flooded",
        "ip:203.0.113.1",
        "WRONGTYPE",
        "RateLimiter::reset ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Another client's bucket is logged as well.
    poison(&server, &limiter, 3).await;
    eventually("a line about the other bucket", async || {
        limiter.check(&POLICY, caller(&parts, 3)).await;
        let lines = log.lines();
        let is_of_it =
            |line: &String| line.contains("is no bucket") && line.contains("ip:203.0.113.3");
        lines.iter().any(is_of_it)
    })
    .await;
    limiter.reset(&bucket).await.expect("it is removed");
    let status = limiter.check(&POLICY, caller(&parts, 1)).await;
    assert!(status.is_allowed(), "{status:?}");
}

#[tokio::test]
async fn requests_that_wait_are_a_line_a_second() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let parts = request(&[]);
    let (log, _guard) = Log::begin();
    let kinds = flood(&log, async || {
        join_all((0..150).map(|_| limiter.check(&WAIT, caller(&parts, 1)))).await;
    });
    assert_eq!(kinds.await, 1, "{:?}", log.lines());
}

#[tokio::test]
async fn bypass_secrets_right_and_wrong_are_a_line_a_second_each() {
    const SECRET: &str = "a secret of thirty-two characters";
    const WRONG: &str = "a guess of thirty-two characters!";
    let limiter = RateLimiter::builder().bypass_secret(SECRET).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let requests = [SECRET, WRONG].map(|secret| request(&[("x-ratelimit-bypass", secret)]));
    let (log, _guard) = Log::begin();
    let sent = Cell::new(0);
    let kinds = flood(&log, async || {
        sent.update(|sent| sent + 1);
        for parts in &requests {
            limiter.check(&POLICY, caller(parts, 1)).await;
        }
    });
    assert_eq!(kinds.await, 3, "and rejections: {:?}", log.lines());
    let lines = log.lines();
    let of_right = lines.iter().rfind(|line| line.contains("is not limited"));
    let of_right = of_right.expect("a line");
    assert!(of_right.contains("203.0.113.1"), "{of_right}");
    assert!(!of_right.contains("left_out=0 "), "{of_right}");
    let all = lines.concat();
    assert!(!all.contains(SECRET) && !all.contains(WRONG), "{all}");
    let totals = limiter.totals();
    assert_eq!(totals[0].1.bypassed, sent.get(), "each is counted");
}

#[tokio::test]
async fn a_clock_that_stands_still_is_one_line() {
    let store = MemoryStore::new().with_clock(ManualClock::new());
    let limiter = RateLimiter::builder().store(store).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let parts = request(&[]);
    let (log, _guard) = Log::begin();
    for _ in 0..10_000 {
        limiter.check(&POLICY, caller(&parts, 1)).await;
        limiter.check(&SHADOW, caller(&parts, 1)).await;
    }
    assert_eq!(log.lines().len(), 2, "{:?}", log.lines());
}

#[tokio::test]
async fn handlers_that_nothing_limits_are_a_line_a_second() {
    async fn wants_its_status(_: RateLimitStatus) {}

    let router = Router::new()
        .route("/", get(wants_its_status))
        .layer(Extension(RateLimiter::default()));
    let app = App::start(router).await;
    let (log, _guard) = Log::begin();
    let kinds = flood(&log, async || assert_eq!(app.status("/").await, 500));
    assert_eq!(kinds.await, 1, "{:?}", log.lines());
}

/// A store that answers probes and no checks.
struct Flapping;

impl Flapping {
    fn fail<T>() -> Result<T, StoreError> {
        Err(StoreError::new(foreign()))
    }
}

impl Store for Flapping {
    async fn check_all(&self, _: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        Self::fail()
    }

    async fn charge(&self, _: &Bucket, _: u32) -> Result<Decision, StoreError> {
        Self::fail()
    }

    async fn refund(&self, _: &Bucket, _: u32, _: &Decision) -> Result<Decision, StoreError> {
        Self::fail()
    }

    async fn reset(&self, _: &Bucket) -> Result<(), StoreError> {
        Self::fail()
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_store_that_goes_down_and_comes_up_is_a_line_a_second_each() {
    let limiter = RateLimiter::builder().store(Flapping).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let parts = request(&[]);
    let (log, _guard) = Log::begin();
    let kinds = flood(&log, async || {
        limiter.check(&POLICY, caller(&parts, 1)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(kinds.await, 3, "and rejections: {:?}", log.lines());
    let health = limiter.store_health().expect("it may be unavailable");
    assert!(health.outages > 2, "each is counted: {health:?}");
    let reasons = health
        .changes
        .iter()
        .filter_map(|change| change.reason.as_deref());
    for reason in reasons {
        assert!(
            reason.chars().count() < 300 && !reason.contains('\n'),
            "{reason:.400}"
        );
    }
}

/// A resolver that fails for every other key.
struct Failing;

impl TierResolver for Failing {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        match key.as_bytes() {
            [.., digit] if digit % 2 == 1 => Err(ResolveError::new(foreign())),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn look_ups_that_fail_are_a_line_a_second() {
    static HEADER: HeaderName = HeaderName::from_static("x-api-key");
    static KEYED: Policy =
        Policy::new("flooded with keys", Algorithm::FixedWindow, &TIERS).with_tier_header(&HEADER);
    let limiter = RateLimiter::builder().tier_resolver(Failing).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let (log, _guard) = Log::begin();
    let mut n = 0;
    let kinds = flood(&log, || {
        n += 1;
        let limiter = &limiter;
        async move {
            let parts = request(&[("x-api-key", &format!("k-{n}"))]);
            limiter.check(&KEYED, caller(&parts, 1)).await;
        }
    });
    // And rejections, and look-ups that are left out.
    assert_eq!(kinds.await, 3, "{:?}", log.lines());
}
