//! Redis goes away and comes back, and what a client that is turned away costs it.

use std::time::{Duration, Instant};

use axum::{
    Extension, Router,
    http::{self, HeaderName, request::Parts},
    routing::get,
};
use ratelimit::{Algorithm, Caller, Key, Policy, Quota, RateLimitStatus, Tier, rate_limit};
use ratelimit_tests::{App, Lag, RedisServer, header};

use crate::{USUAL_TIMEOUT, impatient_limiter_on, limiter_on};

#[rate_limit(limit = 5, per = "1h", name = "through_an_outage")]
async fn limited() {}

#[tokio::test]
async fn limits_hold_while_redis_is_gone_and_after() {
    let server = RedisServer::start();
    let port = server.port();
    let limiter = limiter_on(&server).await;
    let app = App::start(
        Router::new()
            .route("/", get(limited))
            .layer(Extension(limiter)),
    )
    .await;
    assert_eq!(app.status("/").await, 200);

    drop(server);
    let mut admitted = 0;
    for _ in 0..50 {
        let begin = Instant::now();
        let status = app.status("/").await;
        assert!(begin.elapsed() < Duration::from_secs(1), "a request hung");
        assert!(status == 200 || status == 429, "{status}");
        admitted += u32::from(status == 200);
    }
    assert_eq!(
        admitted, 4,
        "what was left of the same limit, kept in this process"
    );

    // The new server knows nothing of the client, so it is admitted as soon as it is asked again.
    let _server = RedisServer::start_on(port).expect("the port is free again");
    let begin = Instant::now();
    while app.status("/").await != 200 {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "never asked again"
        );
    }
}

/// Two processes, as far as Redis can tell, which share a client.
#[tokio::test]
async fn each_process_admits_at_most_its_own_limit_while_redis_is_gone() {
    let server = RedisServer::start();
    let mut apps = Vec::new();
    for _ in 0..2 {
        let router = Router::new().route("/", get(limited));
        apps.push(App::start(router.layer(Extension(limiter_on(&server).await))).await);
    }
    // The first has seen the client twice, and the second never.
    for _ in 0..2 {
        assert_eq!(apps[0].status("/").await, 200);
    }
    drop(server);
    for (app, most) in apps.iter().zip([3, 5]) {
        let mut admitted = 0;
        for _ in 0..20 {
            admitted += u32::from(app.status("/").await == 200);
        }
        assert_eq!(admitted, most, "what it knows to be left, or a whole limit");
    }
}

/// A flood from one client, which has nothing left.
#[tokio::test]
async fn who_is_turned_away_costs_redis_next_to_nothing() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = App::start(
        Router::new()
            .route("/", get(limited))
            .layer(Extension(limiter)),
    )
    .await;
    for _ in 0..5 {
        assert_eq!(app.status("/").await, 200);
    }
    let begin = Instant::now();
    for _ in 0..1_000 {
        let denied = app.get("/").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        assert_eq!(header(&denied, "x-ratelimit-remaining"), Some("0"));
        let retry_after = header(&denied, "retry-after").and_then(|after| after.parse().ok());
        let retry_after: u64 = retry_after.expect("seconds");
        assert!((3_590..=3_600).contains(&retry_after), "{retry_after}");
    }
    // Once, and then once a second: somebody may have given the client something back.
    let most = 2 + begin.elapsed().as_secs();
    let checks = server.calls("evalsha").await - 5;
    assert!((1..=most).contains(&checks), "{checks} of at most {most}");
}

static COST: HeaderName = HeaderName::from_static("x-cost");
static VALUE: HeaderName = HeaderName::from_static("x-value");

fn cost(parts: &Parts) -> u32 {
    let cost = parts.headers.get(&COST).and_then(|cost| cost.to_str().ok());
    cost.and_then(|cost| cost.parse().ok()).unwrap_or(1)
}

const fn of_any_cost(name: &'static str, algorithm: Algorithm) -> Policy {
    const TIERS: &[Tier] = &[Tier::new("free", Quota::per_hour(1_000))];
    Policy::new(name, algorithm, TIERS).with_cost_of(cost)
}

static OF_ANY_COST: [Policy; 3] = [
    of_any_cost("flooded tokens", Algorithm::TokenBucket),
    of_any_cost("flooded log", Algorithm::SlidingWindow),
    of_any_cost("flooded window", Algorithm::FixedWindow),
];
static OF_ANY_VALUE: Policy =
    of_any_cost("any value", Algorithm::FixedWindow).with_key(Key::Header(&VALUE));

/// A flood from one client, whose requests say what they cost, or which of its buckets they are of.
#[tokio::test]
async fn who_is_turned_away_costs_redis_next_to_nothing_whatever_its_requests_say() {
    type Request = fn(u32) -> (u32, u32);
    let floods: [(&str, Request); 5] = [
        ("two costs in turn", |n| (500 + 300 * (n % 2), 0)),
        ("any cost", |n| (200 + n * 7_919 % 700, 0)),
        ("lower and lower costs", |n| (1_100 - n % 1_000, 0)),
        ("costs that can never be", |n| (1_001 + n, 0)),
        ("a value of its own each time", |n| (500 + n % 2, n)),
    ];
    let server = RedisServer::start();
    for policy in &OF_ANY_COST {
        for (flood, request) in floods {
            let mut connection = server.connection().await;
            let () = redis::cmd("FLUSHALL")
                .query_async(&mut connection)
                .await
                .expect("flushed");
            let limiter = limiter_on(&server).await;
            let check = async |cost: u32, value: u32| {
                let (parts, ()) = http::Request::builder()
                    .header(&COST, cost)
                    .header(&VALUE, value)
                    .body(())
                    .expect("a request")
                    .into_parts();
                let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
                limiter.check_all(&[policy, &OF_ANY_VALUE], caller).await
            };
            // A hundred are left.
            assert!(check(900, u32::MAX).await.is_allowed());
            let before = server.calls("evalsha").await;
            let begin = Instant::now();
            let mut allowed = 0;
            for n in 0..5_000 {
                let (cost, value) = request(n);
                let status = check(cost, value).await;
                assert!(!status.is_degraded());
                allowed += u64::from(status.is_allowed());
            }
            let checks = server.calls("evalsha").await - before;
            // Each of those that are allowed, and one that is not after it; and a few each second.
            let most = 2 * allowed + 5 * (2 + begin.elapsed().as_secs());
            let name = policy.name();
            assert!(checks <= most, "{name}, {flood}: {checks}, at most {most}");
        }
    }
}

/// A server that stands still: nobody waits for it longer than a check may take, and soon nobody
/// waits at all.
#[tokio::test]
async fn a_server_that_hangs_delays_nobody_for_longer_than_a_check_may_take() {
    #[rate_limit(
        tier_header = "X-API-Key",
        free = 1_000,
        per = "1h",
        name = "through_a_hang"
    )]
    async fn keyed() {}

    let server = RedisServer::start();
    let limiter = impatient_limiter_on(&server).await;
    let app = App::start(
        Router::new()
            .route("/", get(keyed))
            .layer(Extension(limiter)),
    )
    .await;
    assert_eq!(app.status("/").await, 200);
    let mut connection = server.connection().await;
    let _: () = redis::cmd("CLIENT")
        .arg(&["PAUSE", "2000"])
        .query_async(&mut connection)
        .await
        .expect("a pause");
    let mut waited = 0;
    let lag = Lag::measure();
    for n in 0..100 {
        lag.worst();
        let begin = Instant::now();
        // The tier of a key that nobody has seen has to be looked up, in the same time.
        let request = app.get("/").header("X-API-Key", format!("k-{n}"));
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        let took = begin.elapsed().saturating_sub(lag.worst());
        assert!(took < USUAL_TIMEOUT + Duration::from_millis(50), "{took:?}");
        waited += u32::from(took + Duration::from_millis(10) > USUAL_TIMEOUT);
    }
    assert!((1..=3).contains(&waited), "{waited} requests waited");

    let asked = server.calls("evalsha").await;
    let begin = Instant::now();
    while server.calls("evalsha").await == asked {
        assert_eq!(app.status("/").await, 200);
        assert!(
            begin.elapsed() < Duration::from_secs(4),
            "never asked again"
        );
    }
}

/// More than there was has been taken from the client, which is no denial of its next request.
#[tokio::test]
async fn who_was_charged_all_that_was_left_is_told_when_to_come_again() {
    #[rate_limit(limit = 5, per = "1h", cost = 3, name = "charged")]
    async fn charged(status: RateLimitStatus) {
        status.charge(3).await;
    }

    let server = RedisServer::start();
    let app = App::start(
        Router::new()
            .route("/", get(charged))
            .layer(Extension(limiter_on(&server).await)),
    )
    .await;
    assert_eq!(app.status("/").await, 200);
    let denied = app.get("/").send().await.expect("an answer");
    assert_eq!(denied.status(), 429);
    assert!(header(&denied, "retry-after").is_some());
}
