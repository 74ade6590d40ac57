//! The live page in a real browser.

mod browser;

use std::time::Duration;

use axum::{Router, routing::get};
use ratelimit::{
    Dashboard, ManualClock, MemoryStore, RateLimiter, StaticTiers, dashboard, rate_limit,
};
use ratelimit_tests::{App, Proxy, RedisServer, Trouble, eventually};

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
