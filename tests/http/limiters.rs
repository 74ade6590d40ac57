//! Which limiter decides, and what one cannot be built from.

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

use axum::{Extension, Router, http::Request, routing::get};
use ratelimit::{
    Caller, ConnectError, ForwardedHeader, KnownKey, RateLimiter, RedisStore, ResolveError,
    StaticTiers, TierResolver, rate_limit,
};
use ratelimit_tests::{App, RedisServer};

#[rate_limit(limit = 2, name = "limited")]
async fn limited() {}

fn limiter() -> RateLimiter {
    RateLimiter::builder()
        .build()
        .expect("nothing is wrong with it")
}

#[tokio::test]
async fn a_router_with_its_own_limiter_has_its_own_buckets() {
    let router = || Router::new().route("/", get(limited));
    let app = App::start(
        Router::new()
            .nest("/a", router().layer(Extension(limiter())))
            .nest("/b", router().layer(Extension(limiter())))
            .nest("/c", router())
            .nest("/d", router()),
    )
    .await;
    for path in ["/a", "/b", "/c"] {
        for status in [200, 200, 429] {
            assert_eq!(app.status(path).await, status, "{path}");
        }
    }
    assert_eq!(
        app.status("/d").await,
        429,
        "it shares the limiter of the program with /c"
    );
    assert!(
        limiter().install().is_err(),
        "requests have been limited by another already"
    );
}

struct Nobody;

impl TierResolver for Nobody {
    async fn resolve(&self, _: ratelimit::ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        Ok(None)
    }
}

#[test]
fn a_wrong_setting_is_an_error_that_names_it() {
    let cases = [
        (
            RateLimiter::builder().trusted_proxies(["10.0.0.0/8", "10.0.0.0/33"]),
            "10.0.0.0/33",
        ),
        (
            RateLimiter::builder().trusted_proxies(["localhost"]),
            "localhost",
        ),
        (
            RateLimiter::builder().trusted_proxies(["0.0.0.0/0"]),
            "trusts everybody",
        ),
        (
            RateLimiter::builder().trusted_proxies(["::ffff:0.0.0.0/96"]),
            "trusts everybody",
        ),
        (
            RateLimiter::builder().forwarded_header(ForwardedHeader::Forwarded),
            "without trusted_proxies, trusted_hops or trusted_socket",
        ),
        (
            RateLimiter::builder().client_digest_secret("hunter2"),
            "client_digest_secret: a secret is 32 to 512 bytes long, and this one is 7",
        ),
        (
            RateLimiter::builder().client_digest_secret("hunter2".repeat(100)),
            "and this one is 700",
        ),
        (
            RateLimiter::builder().tier_ttl(Duration::from_secs(1), Duration::from_secs(1)),
            "tier_ttl",
        ),
        (
            RateLimiter::builder()
                .tiers(StaticTiers::new([("k", "pro")]))
                .tier_cache_capacity(1),
            "tier_cache_capacity",
        ),
        (
            RateLimiter::builder()
                .tier_resolver(Nobody)
                .tier_cache_capacity(0),
            "at least 1",
        ),
        (
            RateLimiter::builder().hosts(["shop.example.com", "https://a.example"]),
            "hosts: \"https://a.example\" is not a host: write the host alone",
        ),
        (RateLimiter::builder().hosts(["*"]), "any_host()"),
        (
            RateLimiter::builder().hosts(Vec::<String>::new()),
            "hosts: the list is empty",
        ),
        (
            RateLimiter::builder().hosts(["a.example"]).any_host(),
            "hosts and any_host exclude each other",
        ),
    ];
    for (builder, named) in cases {
        assert!(!format!("{builder:?}").contains("hunter2"), "{builder:?}");
        let error = builder.build().expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn two_policies_of_one_name_are_an_error_that_says_where_they_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_namesakes")).output();
    let said = output.expect("it runs").stdout;
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("two policies have the name \"search\""),
        "{said}"
    );
    for place in ["search_articles at", "search_users at", "namesakes.rs:"] {
        assert!(said.contains(place), "{said}");
    }
}

#[tokio::test]
async fn a_wrong_setting_of_redis_is_an_error_that_names_it() {
    let builder = || RedisServer::shared().builder();
    let cases = [
        (builder().connections(0), "connections"),
        (builder().timeout(Duration::ZERO), "timeout"),
        (builder().connect_timeout(Duration::ZERO), "connect_timeout"),
        (builder().prefix("{app}:"), "prefix"),
    ];
    for (builder, named) in cases {
        let error = builder.connect().await.expect_err(named);
        assert!(matches!(error, ConnectError::Setting(_)), "{error:?}");
        assert!(error.to_string().starts_with(named), "{error}");
    }
}

#[tokio::test]
async fn a_redis_that_cannot_be_reached_is_an_error_without_the_password() {
    let url = "redis://user:hunter2@127.0.0.1:1";
    let error = RedisStore::connect(url).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Connect { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("127.0.0.1:1") && text.contains("refused"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    for url in [
        "",
        "localhost:6379",
        "http://127.0.0.1",
        "redis://:hunter2@host:x",
        "redis://h/x",
    ] {
        let error = RedisStore::connect(url).await.expect_err("not a URL");
        assert!(
            matches!(error, ConnectError::Url { .. }),
            "{url}: {error:?}"
        );
        let text = format!("{error} {error:?}");
        assert!(text.contains("redis://127.0.0.1:6379"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    let server = RedisServer::shared();
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    let error = RedisStore::connect(&url)
        .await
        .expect_err("it has no password");
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    let shown = format!(
        "{:?} {:?}",
        RedisStore::builder(&url),
        RateLimiter::builder()
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_an_error_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("redis://{}", silent.local_addr().expect("bound"));
    let begin = Instant::now();
    let error = RedisStore::builder(url)
        .connect_timeout(Duration::from_millis(200))
        .connect()
        .await
        .expect_err("it says nothing");
    assert!(begin.elapsed() < Duration::from_secs(2), "{error}");
    assert!(matches!(error, ConnectError::Connect { .. }), "{error:?}");
}

/// Runs a program of its own, since the environment and the limiter are the whole program's.
fn from_env(redis_url: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_from_env"));
    match redis_url {
        Some(url) => command.env("REDIS_URL", url),
        None => command.env_remove("REDIS_URL"),
    };
    command.output().expect("it runs")
}

#[test]
fn the_environment_says_where_limits_are_kept() {
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text(&from_env(None)), "memory: true true false\n");
    assert_eq!(text(&from_env(Some(""))), "memory: true true false\n");

    let server = RedisServer::start();
    let first = from_env(Some(&server.url()));
    assert_eq!(text(&first), "redis: true true false\n", "{first:?}");
    let second = from_env(Some(&server.url()));
    assert_eq!(
        text(&second),
        "redis: false false false\n",
        "processes share a limit"
    );

    let malformed = from_env(Some("redis//nonsense"));
    assert!(
        text(&malformed).starts_with("error: REDIS_URL: "),
        "{malformed:?}"
    );
    let refused = from_env(Some("redis://127.0.0.1:1"));
    assert!(text(&refused).contains("127.0.0.1:1"), "{refused:?}");
}

#[tokio::test]
#[should_panic(expected = "a check needs a policy")]
async fn a_check_under_no_policy_is_a_mistake_in_the_program() {
    let (parts, ()) = Request::new(()).into_parts();
    limiter().check_all(&[], Caller::new(&parts)).await;
}
