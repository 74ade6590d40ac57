//! The live page in a real browser.

mod browser;

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    routing::{any, get},
};
use ratelimit::{
    Dashboard, ManualClock, MemoryStore, RateLimiter, StaticTiers, dashboard, rate_limit,
};
use ratelimit_tests::{App, Proxy, RedisServer, Trouble, eventually};
use redis::AsyncCommands;
use tower::ServiceExt;

use self::browser::Browser;

const TOKEN: &str = "a-token-that-nobody-guesses-for-tests";

#[rate_limit(limit = 3, per = "1h", name = "watched")]
async fn watched() {}

#[rate_limit(limit = 1, per = "1h", shadow, name = "tried out")]
async fn tried_out() {}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 60,
    pro = 600,
    name = "tiered by key"
)]
async fn tiered() {}

/// An app with a limiter of its own, whose page is at a place of the app's choice.
async fn app(limiter: &RateLimiter, page: impl FnOnce(Dashboard) -> Dashboard) -> App {
    let page = page(dashboard(limiter.clone())).into_router();
    let router = Router::new()
        .route("/", get(watched))
        .route("/tried", get(tried_out))
        .route("/tiered", get(tiered))
        .layer(axum::Extension(limiter.clone()))
        .nest("/ops/limits", page);
    App::start(router).await
}

fn with_token(page: Dashboard) -> Dashboard {
    page.token(TOKEN).expect("it is long enough")
}

fn in_memory() -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let builder = RateLimiter::builder().store(store);
    let builder = builder.tiers(StaticTiers::new([("k-pro", "pro")]));
    (builder.build().expect("nothing is wrong with it"), clock)
}

async fn signed_in(app: &App) -> Browser {
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("sign-in", true).await;
    browser.fill("token", TOKEN).await;
    browser
        .run("document.getElementById('sign-in').requestSubmit()")
        .await;
    browser.until_shown("board", true).await;
    browser
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_and_the_right_one_the_page() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, with_token).await;
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("sign-in", true).await;
    assert_eq!(browser.accessibility().await, [""; 0]);
    browser.fill("token", "this-is-not-it").await;
    browser
        .run("document.getElementById('sign-in').requestSubmit()")
        .await;
    browser
        .until("sign-in-error", |error| error == "that is not the token")
        .await;
    assert!(!browser.shows("board").await);
    let browser = signed_in(&app).await;
    browser.reload().await;
    // It is known for as long as the tab is open.
    browser.until_shown("board", true).await;
    browser.click("sign-out").await;
    browser.until_shown("sign-in", true).await;
    browser.reload().await;
    browser.until_shown("sign-in", true).await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_page_without_a_token_is_closed_and_says_how_to_open_it() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, |page| page).await;
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser
        .until("closed-reason", |reason| reason.contains(".token(…)"))
        .await;
    assert!(!browser.shows("board").await);
    assert_eq!(browser.accessibility().await, [""; 0]);
}

#[tokio::test]
async fn the_figures_and_the_curve_of_429s_move_under_load() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, Dashboard::access_by_app).await;
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("board", true).await;
    assert!(!browser.shows("sign-out").await, "nobody has signed in");
    browser
        .until("limited-per-minute", |text| text == "0")
        .await;
    let curve = "return document.querySelector('#chart-requests .limited-line').getAttribute('d')";
    let flat = browser.run(curve).await;
    for n in 0..10 {
        assert_eq!(app.status("/").await, if n < 3 { 200 } else { 429 });
        assert_eq!(app.status("/tried").await, 200);
    }
    browser
        .until("limited-per-minute", |text| text == "7")
        .await;
    browser
        .until("requests-per-minute", |text| text == "20")
        .await;
    browser.until("limited-clients", |text| text == "1").await;
    browser.until("p99", |text| text.contains('s')).await;
    browser
        .until("top-clients", |text| text.contains("ip:127.0.0.1"))
        .await;
    browser
        .until("store-state", |text| text.contains("Up"))
        .await;
    eventually("a curve that moves", async || {
        browser.run(curve).await != flat
    })
    .await;
    let policies = browser.text("policies").await;
    for text in ["watched", "3 per hour", "tests/dashboard/main.rs", "shadow"] {
        assert!(policies.contains(text), "{text} is not in {policies}");
    }
    assert_eq!(browser.accessibility().await, [""; 0]);
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_client_is_looked_at_and_reset() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, with_token).await;
    for status in [200, 200, 200, 429] {
        assert_eq!(app.status("/").await, status);
    }
    let browser = signed_in(&app).await;
    browser.fill("client-input", "127.0.0.1").await;
    browser.click("client-peek").await;
    browser
        .until("client-result", |text| {
            text.contains("watched") && text.contains("0 left")
        })
        .await;
    assert_eq!(app.status("/").await, 429, "a look gives nothing");
    browser.click("client-reset").await;
    browser
        .until("client-result", |text| text.contains("whole quotas again"))
        .await;
    assert_eq!(app.status("/").await, 200);
    browser.fill("client-input", "nobody in particular").await;
    browser.click("client-peek").await;
    browser
        .until("client-result", |text| {
            text.contains("a client is named as")
        })
        .await;
    assert_eq!(browser.accessibility().await, [""; 0]);
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn the_bypass_is_turned_on_and_ends_by_itself() {
    let (limiter, clock) = in_memory();
    let app = app(&limiter, with_token).await;
    app.use_up("/").await;
    let browser = signed_in(&app).await;
    browser.fill("bypass-reason", "<b>incident</b> 42").await;
    browser.fill("bypass-minutes", "15").await;
    browser
        .run("document.getElementById('bypass-form').requestSubmit()")
        .await;
    browser.until_shown("bypass-confirm", true).await;
    assert_eq!(browser.accessibility().await, [""; 0]);
    assert_eq!(app.status("/").await, 429, "it has not been confirmed");
    browser.click("bypass-confirm").await;
    browser
        .until("bypass-banner", |text| text.contains("<b>incident</b> 42"))
        .await;
    assert_eq!(app.status("/").await, 200);
    assert_eq!(browser.accessibility().await, [""; 0]);

    clock.advance(Duration::from_secs(15 * 60));
    browser.until_shown("bypass-banner", false).await;
    assert_eq!(app.status("/").await, 429);

    let bypass = limiter.start_bypass("once more", Duration::from_secs(60));
    bypass.await.expect("it is on");
    browser.until_shown("bypass-off", true).await;
    browser.click("bypass-off").await;
    browser.until_shown("bypass-banner", false).await;
    assert_eq!(app.status("/").await, 429);
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn with_redis_a_tier_is_set_and_an_outage_is_seen() {
    let mut server = RedisServer::start();
    let store = ratelimit::RedisStore::connect(&server.url()).await;
    let builder = RateLimiter::builder().store(store.expect("a redis-server"));
    let limiter = builder.build().expect("nothing is wrong with it");
    let app = app(&limiter, with_token).await;
    let browser = signed_in(&app).await;
    browser.fill("tier-key", "k-alice").await;
    browser.choose("tier-select", "pro").await;
    browser
        .run("document.getElementById('tier-form').requestSubmit()")
        .await;
    browser
        .until("tier-result", |text| text.contains("pro"))
        .await;
    let request = app.get("/tiered").header("x-api-key", "k-alice");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-ratelimit-limit"], "600");
    browser.until_shown("fleet-requests-per-minute", true).await;
    browser
        .until("fleet-requests-per-minute", |text| text.contains('1'))
        .await;

    server.stop();
    browser.until_shown("store-banner", true).await;
    assert_eq!(browser.accessibility().await, [""; 0]);
    server.cont();
    browser.until_shown("store-banner", false).await;
    browser
        .until("store-history", |text| {
            text.contains("Down") && text.contains("Up after")
        })
        .await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_lost_connection_is_said_and_comes_back() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, Dashboard::access_by_app).await;
    let proxy = Proxy::start(app.port()).await;
    let url = format!("http://127.0.0.1:{}/ops/limits", proxy.port());
    let browser = Browser::open(&url).await;
    browser.until("connection", |text| text == "Live").await;
    // Closed, and silent for ever.
    for trouble in [Trouble::Refuse, Trouble::BlackHole] {
        proxy.make(trouble);
        browser
            .until("connection", |text| text.contains("lost"))
            .await;
        proxy.make(Trouble::None);
        browser.until("connection", |text| text == "Live").await;
    }
    assert_eq!(browser.errors().await, [""; 0]);
}

/// A path that begins with two slashes is one that a browser takes for another server's name.
#[tokio::test]
async fn the_page_asks_its_own_server_whatever_its_path_is() {
    let (limiter, _) = in_memory();
    let page: Router = dashboard(limiter).access_by_app().into_router();
    // A proxy that rewrites paths, as nginx does with `rewrite ^.*/limits/?(.*)$ /$1`.
    let rewrite = any(async move |mut request: Request| {
        let path = request.uri().path();
        let (_, path) = path.rsplit_once("/limits").unwrap_or_default();
        let path = format!("/{}", path.trim_start_matches('/'));
        *request.uri_mut() = path.parse().expect("a path");
        page.oneshot(request).await
    });
    let app = App::start(Router::new().fallback(rewrite)).await;
    let browser = Browser::open(&app.at("/limits")).await;
    for path in [
        "/limits/",
        "//evil.example/limits",
        "//evil.example/limits//",
        "///evil.example/limits",
        "//evil.example:443/limits",
        "//user:secret@evil.example/limits",
        "//[::1]/limits",
        "/\\evil.example/limits",
        "/%5c%5cevil.example/limits",
        "//evil.example%2f/limits",
        "/@evil.example/limits",
        "/;//evil.example/limits?a=//evil.example",
        "//evil.example/limits#//evil.example",
        "/https://evil.example/limits",
        "//localhost/limits",
    ] {
        browser.go_to(&app.at(path)).await;
        browser.until("connection", |text| text == "Live").await;
        let elsewhere = "return performance.getEntriesByType('resource').map(entry => entry.name)\
                         .filter(name => new URL(name).origin !== location.origin)";
        assert_eq!(
            browser.run(elsewhere).await,
            serde_json::json!([]),
            "{path}"
        );
    }
    assert_eq!(browser.errors().await, [""; 0]);
}

/// Values of other programs in Redis, where the page's figures are.
#[tokio::test]
async fn what_others_write_in_redis_does_not_stop_the_page() {
    let server = RedisServer::start();
    let store = server.store().await;
    let limiter = RateLimiter::builder().store(store).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let app = app(&limiter, Dashboard::access_by_app).await;
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("board", true).await;
    let mut redis = server.connection().await;
    let moves = async |what: &str| {
        let shown = browser.text("requests-per-minute").await;
        app.status("/tried").await;
        let what = format!("a page that goes on after {what}");
        eventually(&what, async || {
            browser.text("requests-per-minute").await != shown
        })
        .await;
    };
    for since in [
        "18446744073709551615",
        "8640000000000001",
        "9007199254740993",
        "0",
    ] {
        for lasts in [60_000_u64, 4_000_000_000_000_000] {
            let bypass = format!(r#"{{"reason":"<img src=x> \u202e","since_ms":{since}}}"#);
            let key = "ratelimit:{fleet}:bypass";
            let () = redis
                .pset_ex(key, bypass, lasts)
                .await
                .expect("it is written");
            let reads = server.calls("getrange").await;
            eventually("the bypass is read", async || {
                server.calls("getrange").await > reads + 1
            })
            .await;
            moves(since).await;
            assert_eq!(browser.errors().await, [""; 0], "{since}");
        }
    }
    let () = redis
        .del("ratelimit:{fleet}:bypass")
        .await
        .expect("it is gone");
    browser.until_shown("bypass-banner", false).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let slot = now.expect("after 1970").as_secs() / 10;
    for byte in [0x7f, 0x80, 0xff] {
        for slot in slot - 6..slot + 6 {
            let key = format!("ratelimit:{{fleet}}:stats:{slot}");
            let () = redis.set(key, &[byte; 5_000]).await.expect("it is written");
        }
        moves(&format!("{byte:x}")).await;
    }
    let no_date = "const time = document.createElement('time');\
                   return [1e300, 8.64e12 + 1, NaN, null].map(n => { setTime(time, n); return time.textContent; })";
    let unknown = serde_json::json!(vec!["an unknown time"; 4]);
    assert_eq!(browser.run(no_date).await, unknown);
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn a_page_without_a_stream_asks_every_few_seconds() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, Dashboard::access_by_app).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let stream = app.get("/ops/limits/api/events").send().await;
        streams.push(stream.expect("an answer"));
    }
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("board", true).await;
    browser
        .until("connection", |text| text.contains("few seconds"))
        .await;
    app.status("/").await;
    browser
        .until("requests-per-minute", |text| text == "1")
        .await;
    assert_eq!(browser.accessibility().await, [""; 0]);
    drop(streams);
    browser.until("connection", |text| text == "Live").await;
    assert_eq!(browser.errors().await, [""; 0]);
}

#[tokio::test]
async fn wrong_tokens_are_shown_and_do_not_lock_out_the_right_one() {
    let (limiter, _) = in_memory();
    let app = app(&limiter, with_token).await;
    for _ in 0..20 {
        let request = app.get("/ops/limits/api/state").bearer_auth("a guess");
        request.send().await.expect("an answer");
    }
    let browser = Browser::open(&app.at("/ops/limits")).await;
    browser.until_shown("sign-in", true).await;
    browser.fill("token", "another-guess").await;
    browser
        .run("document.getElementById('sign-in').requestSubmit()")
        .await;
    browser
        .until("sign-in-error", |error| {
            error.contains("too many wrong tokens")
        })
        .await;
    let browser = signed_in(&app).await;
    browser
        .until("wrong-credentials", |text| text.contains("21 wrong tokens"))
        .await;
    assert_eq!(browser.accessibility().await, [""; 0]);
}
