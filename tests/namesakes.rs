//! Handlers of one name, as each test of a crate may have its own. No limiter but a `TestLimiter` can be
//! built in such a program, so these tests are one of their own.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::Request,
    routing::{MethodRouter, get},
};
use ratelimit::{
    Algorithm, Caller, Limit, NoIdentity, Policy, PolicyEntry, PolicySource, Quota, RateLimitLayer,
    RateLimiter, Tier, policy, rate_limit,
    testing::{TestLimiter, assert_limited, assert_remaining},
};

fn first() -> MethodRouter {
    #[rate_limit(limit = 1)]
    async fn handler() {}

    get(handler)
}

fn second() -> MethodRouter {
    #[rate_limit(limit = 1)]
    async fn handler() {}

    get(handler)
}

#[tokio::test]
async fn each_test_may_have_a_handler_of_the_same_name() {
    for route in [first(), second()] {
        let limiter = TestLimiter::new();
        let app = Router::new().route("/", route).layer(limiter.layer());
        for _ in 0..2 {
            assert_remaining(&limiter.get(&app, "/").await, 0);
            assert_limited(&limiter.get(&app, "/").await, Duration::from_secs(60));
            limiter.advance(Duration::from_secs(60));
        }
    }
}

#[tokio::test]
#[should_panic(expected = "two policies have the name \"namesakes::handler\"")]
async fn they_do_not_share_a_bucket_unseen() {
    let limiter = TestLimiter::new();
    let app = Router::new()
        .route("/first", first())
        .route("/second", second())
        .layer(limiter.layer());
    assert_remaining(&limiter.get(&app, "/first").await, 0);
    limiter.get(&app, "/second").await;
}

#[tokio::test]
#[should_panic(expected = "two policies have the name \"written\"")]
async fn nor_do_those_that_are_written_by_hand() {
    static ONCE: [Tier; 1] = [Tier::new("default", Quota::per_hour(1))];
    static TWICE: [Tier; 1] = [Tier::new("default", Quota::per_hour(2))];
    static FIRST: Policy = Policy::new("written", Algorithm::FixedWindow, &ONCE);
    static SECOND: Policy = Policy::new("written", Algorithm::FixedWindow, &TWICE);
    let limiter = TestLimiter::new();
    let (parts, ()) = Request::new(()).into_parts();
    for policy in [&FIRST, &FIRST, &SECOND] {
        limiter.limiter().check(policy, Caller::new(&parts)).await;
    }
}

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes the lines since the last time.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(str::to_owned).collect()
    }
}

struct Written;

impl PolicySource for Written {
    type Identity = NoIdentity;

    fn limits() -> &'static [&'static Limit] {
        static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(1))];
        static LIMIT: Limit = Limit::new(Policy::new("of a layer", Algorithm::FixedWindow, &TIERS));
        static ALL: [&Limit; 1] = [&LIMIT];
        &ALL
    }
}

static CHECKED: Policy = Policy::new(
    "checked",
    Algorithm::FixedWindow,
    &[Tier::new("default", Quota::per_hour(1))],
);

#[tokio::test]
async fn the_start_is_logged_with_one_event_for_each_policy_and_each_that_comes_later() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    #[rate_limit(limit = 1, per = "1s", name = "a second")]
    #[rate_limit(limit = 10, name = "a minute")]
    async fn limited_twice() {}
    let _: MethodRouter = get(limited_twice);

    let limiter = TestLimiter::new();
    let installed = limiter.limiter().clone().install();
    installed.expect("no other test of this program does so");
    let at_start = log.take();
    assert!(limiter.limiter().clone().install().is_err());
    assert_eq!(log.take().len(), 0, "an error logs nothing");

    let is_shared = |line: &&String| line.contains("policy=\"namesakes::ByHost\"");
    let shared = at_start.iter().find(is_shared).expect("that of policy!");
    for part in [
        "INFO",
        "a rate limit is in force",
        "limits=sliding_window, default 1 per 60s",
        "location=\"tests/namesakes.rs:",
    ] {
        assert!(shared.contains(part), "{shared}");
    }
    let lines_with = |part: &str| at_start.iter().filter(|line| line.contains(part)).count();
    let count = lines_with("a rate limit is in force");
    assert!(count >= 5, "{at_start:?}");
    let summary = format!("rate limits are in force count={count}");
    assert_eq!(lines_with(&summary), 1, "{at_start:?}");
    assert!(
        lines_with("two policies have one name") >= 1,
        "{at_start:?}"
    );
    assert!(at_start.iter().all(|line| line.len() < 500), "{at_start:?}");

    for expected in [1, 0] {
        let _ = RateLimitLayer::<Written>::new();
        let later = log.take();
        assert_eq!(later.len(), expected, "{later:?}");
        let of_a_layer = |line: &String| {
            line.contains("policy=\"of a layer\" source=\"namesakes::Written\"")
                && line.contains("location=\"tests/namesakes.rs:")
        };
        assert!(later.iter().all(of_a_layer), "{later:?}");
    }
    // That one is known already.
    let (parts, ()) = Request::new(()).into_parts();
    for expected in [1, 0] {
        for policy in [Written::limits()[0].policy(), &CHECKED] {
            limiter.limiter().check(policy, Caller::new(&parts)).await;
        }
        let mut later = log.take();
        later.retain(|line| line.contains("is in force"));
        assert_eq!(later.len(), expected, "{later:?}");
        let of_the_check = |line: &String| line.contains("policy=\"checked\" limits=");
        assert!(later.iter().all(of_the_check), "{later:?}");
    }
}

#[tokio::test]
async fn a_constant_policy_is_one_wherever_it_is_used() {
    const POLICY: Policy = Policy::new(
        "constant",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_hour(1))],
    );
    let limiter = TestLimiter::new();
    let (parts, ()) = Request::new(()).into_parts();
    // As if each were in a module of its own.
    let copies: [&'static Policy; 2] = [Box::leak(Box::new(POLICY)), Box::leak(Box::new(POLICY))];
    for (policy, is_allowed) in copies.into_iter().zip([true, false]) {
        let status = limiter.limiter().check(policy, Caller::new(&parts)).await;
        assert_eq!(status.is_allowed(), is_allowed);
    }
}

#[rate_limit(limit = 1, key = host)]
async fn by_host() {}

#[rate_limit(limit = 1, key = (host, path("id")))]
async fn by_host_and_path() {}

policy! { ByHost: limit = 1, key = host }

#[tokio::test]
async fn tenants_are_told_apart_by_the_attribute_and_the_macro() {
    let layered = Router::new()
        .route("/layer", get(async || "done"))
        .layer(RateLimitLayer::<ByHost>::new());
    let limiter = TestLimiter::with(|builder| builder.hosts(["a.example", "b.example"]));
    let app = Router::new()
        .route("/", get(by_host))
        .route("/page/{id}", get(by_host_and_path))
        .merge(layered)
        .layer(limiter.layer());
    let status = async |host: &str, path: &str| {
        let request = Request::get(path).header("host", host).body(Body::empty());
        limiter
            .send(&app, request.expect("a request"))
            .await
            .status()
    };
    for path in ["/", "/page/1", "/page/2", "/layer"] {
        for host in ["a.example", "b.example:443", "c.example"] {
            assert_eq!(status(host, path).await, 200, "{host}{path}");
            assert_eq!(status(host, path).await, 429, "{host}{path}");
        }
        assert_eq!(
            status("d.example", path).await,
            429,
            "the address's, as c's"
        );
    }
}

#[test]
fn any_other_limiter_is_refused() {
    let refused = RateLimiter::builder().build();
    let said = refused.expect_err("they would share a bucket").to_string();
    assert!(said.contains("\"namesakes::handler\""), "{said}");
    assert_eq!(said.matches("namesakes.rs:").count(), 2, "{said}");
}

#[tokio::test]
#[should_panic(expected = "two policies have the name")]
async fn nor_do_they_when_they_are_checked_by_hand() {
    let policies = ratelimit::policies().into_iter();
    let policies: Vec<_> = policies.flat_map(PolicyEntry::policies).collect();
    let limiter = TestLimiter::new();
    let (parts, ()) = Request::new(()).into_parts();
    for policy in policies {
        limiter.limiter().check(policy, Caller::new(&parts)).await;
    }
}
