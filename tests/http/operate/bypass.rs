//! The limits are turned off: for everybody by a switch, for requests with a secret, and for networks.

use std::time::Duration;

use axum::{Extension, Router, routing::get};
use http::HeaderName;
use ratelimit::{
    ApiKey, BuildError, Builder, BypassError, ForwardedHeader, KnownKey, RateLimitStatus,
    RateLimiter, RedisStore, ResolveError, TierResolver, Totals, rate_limit,
};
use ratelimit_tests::{App, RedisServer, eventually, header, patient};

use super::super::{impatient_limiter_on, limiter_on, limiters, limiters_with, notices::Log};

const OLD: &str = "an-old-secret-of-32-bytes-or-more";
const NEW: &str = "a-new-secret-of-32-bytes-or-more!";

#[rate_limit(limit = 1, per = "1h", name = "bypassed")]
async fn limited(status: RateLimitStatus) -> String {
    status.is_bypassed().to_string()
}

async fn start(limiter: &RateLimiter) -> App {
    let router = Router::new()
        .route("/", get(limited))
        .layer(Extension(limiter.clone()));
    App::start(router).await
}

fn totals(limiter: &RateLimiter) -> Totals {
    let all = limiter.totals();
    let found = all.iter().find(|(name, _)| *name == "bypassed");
    found.map_or(Totals::default(), |(_, totals)| *totals)
}

#[tokio::test]
async fn while_the_switch_is_on_nobody_is_limited_and_it_ends_by_itself() {
    for (limiter, clock) in limiters("bypass_switch").await {
        let app = start(&limiter).await;
        assert_eq!(app.status("/").await, 200);
        assert_eq!(app.status("/").await, 429);
        let time = Duration::from_secs(600);
        let bypass = limiter.start_bypass("  incident 42 ", time).await;
        let bypass = bypass.expect("it is on");
        assert_eq!(bypass.reason, "incident 42");
        assert_eq!(limiter.bypass(), Some(bypass));
        for _ in 0..3 {
            let answer = app.get("/").send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            assert_eq!(header(&answer, "x-ratelimit-limit"), None);
            assert_eq!(answer.text().await.expect("text"), "true");
        }
        clock.advance(time);
        assert_eq!(limiter.bypass(), None);
        assert_eq!(app.status("/").await, 429);
        let totals = totals(&limiter);
        assert_eq!((totals.allowed, totals.limited, totals.bypassed), (1, 2, 3));
    }
}

#[tokio::test]
async fn a_bypass_has_a_reason_and_an_end() {
    let limiter = RateLimiter::default();
    let hour = Duration::from_secs(3600);
    for (reason, time) in [
        ("", hour),
        ("  ", hour),
        (&"x".repeat(501), hour),
        ("a reason", Duration::ZERO),
        ("a reason", 24 * hour + Duration::from_secs(1)),
    ] {
        let error = limiter
            .start_bypass(reason, time)
            .await
            .expect_err("refused");
        let is_reason = matches!(error, BypassError::Reason);
        assert_eq!(is_reason, time == hour, "{error}");
        assert_eq!(limiter.bypass(), None);
    }
    limiter
        .start_bypass("a reason", 24 * hour)
        .await
        .expect("on");
    limiter.end_bypass().await.expect("off");
    assert_eq!(limiter.bypass(), None);
}

#[tokio::test]
async fn processes_on_one_redis_follow_the_switch_within_a_second() {
    let server = RedisServer::start();
    let (one, other) = (limiter_on(&server).await, limiter_on(&server).await);
    let app = start(&other).await;
    app.use_up("/").await;
    let began = std::time::Instant::now();
    one.start_bypass("incident 42", Duration::from_secs(600))
        .await
        .expect("it is on");
    eventually("a bypass that was started elsewhere", async || {
        app.status("/").await == 200
    })
    .await;
    // Twice what it takes at the most, as this machine may have other things to do.
    assert!(began.elapsed() < Duration::from_secs(2), "{began:?}");
    assert_eq!(other.bypass().expect("it is on").reason, "incident 42");

    // A process that comes later knows of it before long, and any can end it.
    let third = limiter_on(&server).await;
    eventually("a bypass that was there before", async || {
        third.bypass().is_some()
    })
    .await;
    third.end_bypass().await.expect("it is off");
    eventually("the end of a bypass", async || {
        app.status("/").await == 429 && one.bypass().is_none()
    })
    .await;
}

#[tokio::test]
async fn redis_ends_it_though_the_process_that_began_it_is_gone() {
    let server = RedisServer::start();
    let one = limiter_on(&server).await;
    one.start_bypass("a short one", Duration::from_secs(2))
        .await
        .expect("it is on");
    drop(one);
    let is_kept = async || {
        let mut connection = server.connection().await;
        let keys: Vec<String> = redis::AsyncCommands::keys(&mut connection, "*bypass*")
            .await
            .expect("keys");
        !keys.is_empty()
    };
    assert!(is_kept().await, "it is in Redis");
    let other = limiter_on(&server).await;
    eventually("its end", async || {
        !is_kept().await && other.bypass().is_none()
    })
    .await;
}

#[tokio::test]
async fn during_an_outage_it_is_on_here_and_the_others_are_told_afterwards() {
    let mut server = RedisServer::start();
    let one = impatient_limiter_on(&server).await;
    let other = limiter_on(&server).await;
    server.stop();
    eventually("an outage", async || {
        one.store_health().is_some_and(|health| !health.is_up)
    })
    .await;
    let error = one
        .start_bypass("redis is gone", Duration::from_secs(600))
        .await
        .expect_err("nobody can be told");
    assert!(
        error.to_string().contains("is on in this process"),
        "{error}"
    );
    assert!(one.bypass().is_some());
    let app = start(&one).await;
    for _ in 0..3 {
        assert_eq!(app.status("/").await, 200);
    }
    assert_eq!(other.bypass(), None);
    server.cont();
    eventually("a bypass of the time before", async || {
        other
            .bypass()
            .is_some_and(|seen| seen.reason == "redis is gone")
    })
    .await;
}

#[tokio::test]
async fn a_request_with_a_secret_is_not_limited_whichever_of_two_it_is() {
    let with = |builder: Builder| builder.bypass_secret(OLD).bypass_secret(NEW);
    for (limiter, _) in limiters_with("bypass_secret", with).await {
        let app = start(&limiter).await;
        assert_eq!(app.status("/").await, 200);
        assert_eq!(app.status("/").await, 429);
        let status = async |name: &str, value: &[u8]| {
            let answer = app.get("/").header(name, value).send().await;
            answer.expect("an answer").status().as_u16()
        };
        for secret in [OLD, NEW] {
            assert_eq!(status("x-ratelimit-bypass", secret.as_bytes()).await, 200);
        }
        for wrong in [
            &OLD.as_bytes()[1..],
            &[OLD.as_bytes(), b"x"].concat(),
            b"",
            b"\xff\xfe",
            &[b'x'; 4000],
        ] {
            assert_eq!(status("x-ratelimit-bypass", wrong).await, 429);
        }
        assert_eq!(status("x-other", OLD.as_bytes()).await, 429);
        assert_eq!(totals(&limiter).bypassed, 2);
    }
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 5,
    pro = 5,
    name = "bypassed twice 1"
)]
#[rate_limit(limit = 5, key = ip, name = "bypassed twice 2")]
async fn limited_twice() {}

/// However many policies there are, and however often the check begins.
#[tokio::test]
async fn a_request_with_a_wrong_secret_is_counted_once() {
    struct NoKeys;

    impl TierResolver for NoKeys {
        async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
            Ok(None)
        }
    }

    let with = |builder: Builder| builder.bypass_secret(OLD).tier_resolver(NoKeys);
    for (limiter, _) in limiters_with("wrong_secret", with).await {
        let router = Router::new().route("/", get(limited_twice));
        let app = App::start(router.layer(Extension(limiter.clone()))).await;
        for api_key in ["", "k-1", "k-1"] {
            let request = app.get("/").header("x-api-key", api_key);
            let request = request.header("x-ratelimit-bypass", NEW);
            assert_eq!(request.send().await.expect("an answer").status(), 200);
        }
        assert_eq!(limiter.wrong_credentials().bypass_secret, 3);
    }
}

#[tokio::test]
async fn the_secret_s_header_can_be_another() {
    let name = HeaderName::from_static("x-break-glass");
    let limiter = RateLimiter::builder()
        .bypass_secret(OLD)
        .bypass_header(name)
        .build()
        .expect("built");
    let app = start(&limiter).await;
    app.use_up("/").await;
    for (name, status) in [("x-break-glass", 200), ("x-ratelimit-bypass", 429)] {
        let answer = app.get("/").header(name, OLD).send().await;
        assert_eq!(answer.expect("an answer").status(), status);
    }
}

#[tokio::test]
async fn networks_are_exempt_by_the_client_s_own_address() {
    let limiter = RateLimiter::builder()
        .trusted_proxies(["127.0.0.1"])
        .forwarded_header(ForwardedHeader::XForwardedFor)
        .exempt_networks(["10.1.0.0/16", "2001:db8::/32", "203.0.113.7"])
        .build()
        .expect("built");
    let app = start(&limiter).await;
    let status = async |client: &str| {
        let answer = app.get("/").header("x-forwarded-for", client).send().await;
        answer.expect("an answer").status().as_u16()
    };
    for client in ["10.1.2.3", "2001:db8::7", "203.0.113.7", "::ffff:10.1.2.3"] {
        for _ in 0..3 {
            assert_eq!(status(client).await, 200, "{client}");
        }
    }
    for client in ["10.2.0.1", "203.0.113.8", "10.1.2.3, 198.51.100.1"] {
        assert_eq!(status(client).await, 200, "{client}");
        assert_eq!(status(client).await, 429, "{client}");
    }
    assert_eq!(totals(&limiter).exempt, 12);
}

#[tokio::test]
async fn what_cannot_work_is_said_when_the_limiter_is_built() {
    let error = |builder: Builder| builder.build().expect_err("refused");
    let builder = RateLimiter::builder;
    let short = error(builder().bypass_secret("hunter2"));
    assert!(matches!(short, BuildError::BypassSecret(7)), "{short}");
    assert!(!short.to_string().contains("hunter2"));
    for secret in ["x".repeat(513), format!("{OLD}\n"), format!(" {OLD}")] {
        error(builder().bypass_secret(secret));
    }
    let name = HeaderName::from_static("x-break-glass");
    error(builder().bypass_header(name));
    for network in ["0.0.0.0/0", "::/0", "10.0.0.0/8, 10.1.0.0/16", "localhost"] {
        let said = error(builder().exempt_networks([network])).to_string();
        assert!(said.starts_with("exempt_networks: "), "{said}");
    }
    let shown = format!("{:?}", builder().bypass_secret(OLD));
    assert!(!shown.contains(OLD), "{shown}");
}

/// A process without permission for the stats still says so when it follows no bypass, which is a reason
/// to act at once.
#[tokio::test]
async fn a_bypass_that_is_not_followed_is_logged_also_if_the_stats_have_failed() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    let forbid = ["SETUSER", "default", "-bitfield", "-pfadd"];
    let mut acl = redis::cmd("ACL");
    let forbidden = acl.arg(&forbid).query_async(&mut connection).await;
    let _: () = forbidden.expect("rules that the server understands");
    let (log, _guard) = Log::begin();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    app.use_up("/").await;
    let is_said = |what: &str| log.lines().iter().any(|line| line.contains(what));
    eventually("a line about the stats", async || {
        is_said("does not add to the stats")
    })
    .await;
    let key = "ratelimit:{fleet}:bypass";
    let mut push = redis::cmd("RPUSH");
    let pushed = push
        .arg(key)
        .arg("a list")
        .query_async(&mut connection)
        .await;
    let _: () = pushed.expect("pushed");
    eventually("a line about the bypass", async || {
        is_said("does not follow a bypass")
    })
    .await;
}

#[tokio::test]
async fn a_server_that_permits_no_more_than_checks_keeps_limits_all_the_same() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    let rules = "web reset on >S3CRET ~ratelimit:{ip* ~ratelimit:{probe* +evalsha +eval +time +get +getrange +set +append +setrange +type +llen +lindex +lrange +lset +rpush +ltrim +lrem +memory|usage +pexpire +del +unlink +hget";
    let _: () = redis::cmd("ACL")
        .arg("SETUSER")
        .arg(rules.split(' ').collect::<Vec<_>>())
        .query_async(&mut connection)
        .await
        .expect("rules that the server understands");
    let url = format!("redis://web:S3CRET@127.0.0.1:{}", server.port());
    let store = patient(RedisStore::builder(&url)).connect().await;
    let store = store.expect("connected");
    let limiter = RateLimiter::builder().store(store).build().expect("built");
    let app = start(&limiter).await;
    app.use_up("/").await;
    let refused = async || {
        let log: Vec<redis::Value> = redis::cmd("ACL")
            .arg("LOG")
            .query_async(&mut server.connection().await)
            .await
            .expect("what was refused");
        !log.is_empty()
    };
    eventually("what it asks and may not", refused).await;
    let first = limiter.store_health().expect("a store that can be out");
    assert!(first.is_up && first.outages == 0, "{first:?}");
    let figures = limiter.fleet_figures().await.expect_err("no permission");
    assert!(figures.to_string().contains("refuses"), "{figures}");
}
