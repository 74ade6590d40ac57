//! The JSON beneath the page.

use axum::{Extension, Router, routing::get};
use ratelimit::{ClientId, Dashboard, RateLimiter, TokenError, dashboard, rate_limit};
use ratelimit_tests::{App, RedisServer};
use reqwest::{
    Response,
    header::{CONTENT_TYPE, HOST},
};
use serde_json::{Value, json};

use super::super::limiter_on;

const TOKEN: &str = "a-token-that-nobody-guesses-for-tests";

#[rate_limit(
    tier_header = "X-API-Key",
    free = 2,
    pro = 600,
    per = "1h",
    name = "policy-of-the-test"
)]
async fn limited() {}

async fn start(limiter: &RateLimiter, page: Dashboard) -> App {
    let router = Router::new()
        .route("/", get(limited))
        .layer(Extension(limiter.clone()))
        .nest_service("/limits", page.into_router());
    App::start(router).await
}

async fn with_token() -> (RateLimiter, App) {
    let limiter = RateLimiter::default();
    let page = dashboard(limiter.clone())
        .token(TOKEN)
        .expect("long enough");
    let app = start(&limiter, page).await;
    (limiter, app)
}

async fn post(app: &App, path: &str, body: Value) -> Response {
    let request = app.post(path).bearer_auth(TOKEN).json(&body);
    request.send().await.expect("an answer")
}

async fn json(answer: Response) -> Value {
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn nothing_but_the_bare_page_is_there_without_the_token() {
    let (limiter, app) = with_token().await;
    let page = app.get("/limits").send().await.expect("the page");
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str();
    let policy = policy.expect("text").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let html = page.text().await.expect("text");
    assert!(
        !html.contains("policy-of-the-test"),
        "it tells nothing by itself"
    );
    for loads in [" src=", "@import", "url(", "<link rel=\"stylesheet"] {
        assert!(!html.contains(loads), "{loads}");
    }

    let paths = [
        "state",
        "events",
        "clients/peek",
        "clients/reset",
        "tier",
        "bypass",
        "bypass/off",
    ];
    for path in paths {
        let path = format!("/limits/api/{path}");
        // Of an app that has not been sent too many wrong tokens yet.
        let page = dashboard(limiter.clone()).token(TOKEN);
        let app = start(&limiter, page.expect("long enough")).await;
        let get = path.contains("state") || path.contains("events");
        let request = || {
            if get {
                app.get(&path)
            } else {
                app.post(&path).json(&json!({}))
            }
        };
        let wrong = [
            request(),
            request().bearer_auth(&TOKEN[1..]),
            request().bearer_auth(""),
            request().header("authorization", "Basic YTpi"),
            request().header("authorization", &b"Bearer \xff"[..]),
        ];
        for request in wrong {
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 401, "{path}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
            assert!(json(answer).await["error"].is_string());
        }
    }
}

#[tokio::test]
async fn a_token_that_could_be_guessed_is_none() {
    let page = || dashboard(RateLimiter::default());
    let short = page().token("hunter2").expect_err("too short");
    assert_eq!(short, TokenError::Short(7));
    assert!(!short.to_string().contains("hunter2"));
    let long = page().token("x".repeat(513)).expect_err("too long");
    assert_eq!(long, TokenError::Long(513));
    let blank = format!("{TOKEN} ");
    assert_eq!(
        page().token(blank).expect_err("blank"),
        TokenError::NoHeader
    );
    let shown = format!("{:?}", page().token(TOKEN).expect("long enough"));
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[tokio::test]
async fn what_another_site_s_page_sends_changes_nothing() {
    let limiter = RateLimiter::default();
    let app = start(&limiter, dashboard(limiter.clone()).access_by_app()).await;
    let bypass = json!({ "reason": "mischief", "minutes": 60 });
    let path = "/limits/api/bypass";
    for site in ["cross-site", "same-site"] {
        let request = app.post(path).header("sec-fetch-site", site).json(&bypass);
        assert_eq!(request.send().await.expect("an answer").status(), 403);
    }
    // What a form can send, or a script without asking first.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let request = app
            .post(path)
            .header(CONTENT_TYPE, kind)
            .body(bypass.to_string());
        assert_eq!(request.send().await.expect("an answer").status(), 415);
    }
    let asks_first = app
        .client()
        .request(reqwest::Method::OPTIONS, app.at(path))
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "POST");
    let answer = asks_first.send().await.expect("an answer");
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert_eq!(limiter.bypass(), None);
    let request = app
        .post(path)
        .header("sec-fetch-site", "same-origin")
        .json(&bypass);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
    assert!(limiter.bypass().is_some());
}

#[tokio::test]
async fn the_page_is_there_with_a_slash_at_its_end_too() {
    let (_, app) = with_token().await;
    for path in ["/limits", "/limits/", "/limits/?a=b"] {
        let page = app.get(path).send().await.expect("the page");
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.headers()["cache-control"], "no-store");
        assert!(page.headers().contains_key("content-security-policy"));
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    }
    for path in ["/limits/nothing", "/limits/api"] {
        assert_eq!(app.status(path).await, 404, "{path}");
    }
    let posted = app.post("/limits/").send().await.expect("an answer");
    assert_eq!(posted.status(), 405);
}

/// A page at `attacker.example` whose name is made to lead to this server's address reads what the
/// server answers, as if it came from its own site: DNS rebinding.
#[tokio::test]
async fn a_name_that_is_not_listed_is_refused_where_the_app_decides() {
    let limiter = RateLimiter::default();
    let page = || dashboard(limiter.clone()).access_by_app();
    let app = start(&limiter, page()).await;
    let port = app.port();
    let state = |app: &App, host: String| app.get("/limits/api/state").header(HOST, host).send();
    for host in [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "127.0.0.1.",
        "0x7f.0.0.1",
        "localhost@attacker.example",
        "attacker.example#localhost",
        "[::1].attacker.example",
        "",
    ] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            let answer = state(&app, host.clone()).await.expect("an answer");
            // What is no host at all does not come to the application.
            assert!([400, 403].contains(&answer.status().as_u16()), "{host}");
            if answer.status() == 403 {
                let error = json(answer).await["error"].to_string();
                assert!(error.contains("allowed_hosts"), "{error}");
            }
            let request = app.post("/limits/api/bypass").header(HOST, host);
            let bypass = json!({ "reason": "mischief", "minutes": 60 });
            let answer = request
                .header("sec-fetch-site", "same-origin")
                .json(&bypass);
            let status = answer.send().await.expect("an answer").status();
            assert!([400, 403].contains(&status.as_u16()));
        }
    }
    assert_eq!(limiter.bypass(), None);
    for host in ["127.0.0.1", "localhost", "LocalHost", "[::1]", "192.0.2.7"] {
        for host in [host.to_owned(), format!("{host}:{port}")] {
            let answer = state(&app, host.clone()).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{host}");
        }
    }
    let app = start(
        &limiter,
        page().allowed_hosts(["limits.example.com", "Other.example:8443"]),
    )
    .await;
    for (host, status) in [
        ("limits.example.com", 200),
        ("LIMITS.example.com:8443", 200),
        ("other.example", 200),
        ("127.0.0.1", 200),
        ("sub.limits.example.com", 403),
        ("attacker.example", 403),
    ] {
        let answer = state(&app, host.to_owned()).await.expect("an answer");
        assert_eq!(answer.status(), status, "{host}");
    }
    // Who has the token is not led by a name.
    let (_, app) = with_token().await;
    let request = app.get("/limits/api/state").bearer_auth(TOKEN);
    let answer = request.header(HOST, "limits.example.com").send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn an_action_comes_from_the_page_itself() {
    let limiter = RateLimiter::default();
    let page = dashboard(limiter.clone())
        .access_by_app()
        .allowed_hosts(["limits.example.com"]);
    let app = start(&limiter, page).await;
    let own = format!("http://127.0.0.1:{}", app.port());
    for (origin, status) in [
        (own.as_str(), 200),
        // A proxy in front of it has asked for the address.
        ("https://limits.example.com", 200),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:1", 403),
        ("http://localhost:1", 403),
        ("https://attacker.example", 403),
        ("null", 403),
        ("nonsense", 403),
        ("", 403),
    ] {
        let request = app.post("/limits/api/bypass/off").header("origin", origin);
        let answer = request.json(&json!({})).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn the_document_says_what_there_is_and_no_secret() {
    let (_, app) = with_token().await;
    for status in [200, 200, 429] {
        let request = app.get("/").header("x-api-key", "S3CRET-key");
        assert_eq!(request.send().await.expect("an answer").status(), status);
    }
    let request = app.get("/limits/api/state").bearer_auth(TOKEN);
    let text = request.send().await.expect("an answer").text().await;
    let text = text.expect("text");
    assert!(!text.contains("S3CRET"), "{text}");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let policies = document["policies"].as_array().expect("a list");
    let policy = policies
        .iter()
        .find(|policy| policy["name"] == "policy-of-the-test");
    let policy = policy.expect("its policy is on the page");
    assert_eq!(policy["algorithm"], "sliding_window");
    assert_eq!(policy["totals"]["allowed"], 2);
    assert_eq!(policy["totals"]["limited"], 1);
    assert!(
        policy["file"]
            .as_str()
            .expect("a file")
            .ends_with("dashboard.rs")
    );
    assert_eq!(
        policy["tiers"][0],
        json!({ "name": "free", "limit": 2, "per_seconds": 3600.0, "burst": null })
    );
    assert_eq!(document["figures"]["limited_per_minute"], 1);
    assert_eq!(
        document["top"],
        json!([{ "client": "ip:127.0.0.1", "limited": 1 }])
    );
    assert_eq!(document["store"]["kind"], "memory");
    assert_eq!(document["fleet"], Value::Null);
    assert_eq!(document["tiers_in_store"], false);
}

#[tokio::test]
async fn events_tell_the_whole_and_then_what_is_new() {
    let (_, app) = with_token().await;
    let request = app.get("/limits/api/events").bearer_auth(TOKEN);
    let mut answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/event-stream");
    let mut text = String::new();
    while text.matches("event: tick").count() < 2 {
        let chunk = answer
            .chunk()
            .await
            .expect("it goes on")
            .expect("no end yet");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.starts_with("event: state\ndata: {"), "{text}");
    let documents: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect();
    let length = |document: &Value| document["history"]["p50"].as_array().map(Vec::len);
    for tick in &documents[1..] {
        assert!(length(tick).expect("a list") <= 3, "{tick}");
    }
}

#[tokio::test]
async fn a_client_is_looked_at_and_reset_and_nonsense_is_refused_in_words() {
    let (_, app) = with_token().await;
    for status in [200, 200, 429] {
        assert_eq!(app.status("/").await, status);
    }
    let client = json!({ "client": "127.0.0.1" });
    for (path, then) in [("peek", 429), ("reset", 200)] {
        let answer = post(&app, &format!("/limits/api/clients/{path}"), client.clone()).await;
        assert_eq!(answer.status(), 200);
        let answer = json(answer).await;
        assert_eq!(answer["client"], "ip:127.0.0.1");
        assert_eq!(answer["buckets"][0]["policy"], "policy-of-the-test");
        assert_eq!(answer["buckets"][0]["remaining"], 0);
        assert_eq!(app.status("/").await, then);
    }
    let key = post(
        &app,
        "/limits/api/clients/peek",
        json!({ "api_key": "secret-key" }),
    )
    .await;
    let key = json(key).await;
    assert_eq!(
        key,
        json!({ "client": "key:85dbe15d75ef9308c7ae0f33c7a324cc", "buckets": [] })
    );

    for (path, body) in [
        ("clients/peek", json!({})),
        ("clients/peek", json!([])),
        ("clients/reset", json!({ "client": "nobody in particular" })),
        ("clients/reset", json!({ "client": 7 })),
        ("tier", json!({ "api_key": "k", "tier": "pro" })),
        ("tier", json!({ "tier": "pro" })),
        ("bypass", json!({ "reason": "", "minutes": 5 })),
        ("bypass", json!({ "reason": "x", "minutes": 0 })),
        ("bypass", json!({ "reason": "x", "minutes": -5 })),
        ("bypass", json!({ "reason": "x", "minutes": 1e300 })),
        ("bypass", json!({ "reason": "x", "minutes": u64::MAX })),
        ("bypass", json!({ "minutes": 5 })),
    ] {
        let answer = post(&app, &format!("/limits/api/{path}"), body.clone()).await;
        assert_eq!(answer.status(), 422, "{path} {body}");
        let said = json(answer).await;
        assert!(
            said["error"].as_str().is_some_and(|text| text.len() > 10),
            "{said}"
        );
    }
    let request = app.post("/limits/api/tier").bearer_auth(TOKEN);
    let broken = request.header(CONTENT_TYPE, "application/json").body("{");
    assert_eq!(broken.send().await.expect("an answer").status(), 400);
}

#[rate_limit(limit = 1, key = header("x-user"), name = "by a user's name, looked at")]
async fn by_user() {}

#[tokio::test]
async fn a_client_is_found_by_its_name_in_the_log() {
    let limiter = RateLimiter::default();
    let page = dashboard(limiter.clone())
        .token(TOKEN)
        .expect("long enough");
    let router = Router::new()
        .route("/by_user", get(by_user))
        .nest("/limits", page.into_router())
        .layer(Extension(limiter.clone()));
    let app = App::start(router).await;
    let client = ClientId::header(b"alice@example.com");
    let peek = async || {
        let named = json!({ "client": limiter.client_digest(client) });
        post(&app, "/limits/api/clients/peek", named).await
    };
    for status in [200, 429] {
        assert_eq!(peek().await.status(), 422, "it was not turned away yet");
        let request = app.get("/by_user").header("x-user", "alice@example.com");
        assert_eq!(request.send().await.expect("an answer").status(), status);
    }
    let answer = peek().await;
    assert_eq!(answer.status(), 200);
    let answer = json(answer).await;
    assert_eq!(answer["client"], client.to_string());
    assert_eq!(answer["buckets"][0]["remaining"], 0);
}

#[tokio::test]
async fn with_redis_a_tier_is_set() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let page = dashboard(limiter.clone())
        .token(TOKEN)
        .expect("long enough");
    let app = start(&limiter, page).await;
    let set = json!({ "api_key": "k-alice", "tier": "pro" });
    let answer = post(&app, "/limits/api/tier", set).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(json(answer).await["tier"], "pro");
    let request = app.get("/").header("x-api-key", "k-alice");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-ratelimit-limit"], "600");
    let wrong = json!({ "api_key": "k-alice", "tier": "platinum" });
    let answer = post(&app, "/limits/api/tier", wrong).await;
    assert_eq!(answer.status(), 422);
    let gone = json!({ "api_key": "k-alice", "tier": null });
    assert_eq!(post(&app, "/limits/api/tier", gone).await.status(), 200);
    let request = app.get("/").header("x-api-key", "k-alice");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.headers()["x-ratelimit-limit"], "2");
}
