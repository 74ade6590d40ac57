//! The dashboard under requests that are wrong, hostile or too many.

use std::{
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request},
    routing::get,
};
use http::{Uri, header::CONTENT_TYPE};
use ratelimit::{
    Dashboard, ForwardedHeader, ManualClock, MemoryStore, RateLimiter, dashboard, rate_limit,
};
use ratelimit_tests::{App, RedisServer, eventually, header};
use redis::{AsyncCommands, SetExpiry, SetOptions};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;

use super::super::{limiter_on, notices::Log};

const TOKEN: &str = "a-token-that-nobody-guesses-for-tests";

#[rate_limit(limit = 1, per = "1h", name = "behind the dashboard")]
async fn limited() {}

fn router(limiter: &RateLimiter, page: Dashboard) -> Router {
    Router::new()
        .route("/", get(limited))
        .layer(Extension(limiter.clone()))
        .nest_service("/limits", page.into_router())
}

fn with_token(limiter: &RateLimiter) -> Dashboard {
    let page = dashboard(limiter.clone()).token(TOKEN);
    page.expect("it is long enough")
}

async fn start(limiter: &RateLimiter) -> App {
    App::start(router(limiter, with_token(limiter))).await
}

async fn post(app: &App, path: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = app
        .post(&format!("/limits/api/{path}"))
        .bearer_auth(TOKEN)
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    request.send().await.expect("an answer")
}

async fn error(answer: Response) -> String {
    let answer: Value = answer.json().await.expect("JSON");
    let error = answer["error"].as_str().expect("an error");
    error.to_owned()
}

/// The actions, each with a body that is valid.
fn actions() -> [(&'static str, Value); 6] {
    [
        ("clients/peek", json!({ "client": "127.0.0.1" })),
        ("clients/reset", json!({ "client": "127.0.0.1" })),
        ("clients/reset", json!({ "api_key": "k-alice" })),
        ("tier", json!({ "api_key": "k-alice", "tier": "pro" })),
        ("bypass", json!({ "reason": "mischief", "minutes": 5 })),
        ("bypass/off", json!({})),
    ]
}

/// What a field must not be, whichever it is.
fn wrong_values() -> Vec<Value> {
    let long = "x".repeat(1_000);
    vec![
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!("  "),
        json!("NaN"),
        json!("\u{7f}"),
        json!("a\nb\u{0}"),
        json!(long),
        json!([]),
        json!(["127.0.0.1"]),
        json!({}),
    ]
}

/// Bodies that are wrong, each with the field that the error must name.
fn wrong_bodies() -> Vec<(&'static str, String, Option<String>)> {
    let mut all = Vec::new();
    for (path, valid) in actions() {
        let fields = valid.as_object().expect("an object");
        for field in fields.keys() {
            let mut missing = fields.clone();
            missing.remove(field);
            all.push((path, json!(missing).to_string(), Some(field.clone())));
            let nothing = (field != "tier").then_some(Value::Null);
            for wrong in wrong_values().into_iter().chain(nothing) {
                // A reason is free text: of these it cannot be empty or long.
                let is_reason = wrong == "NaN" || wrong == "\u{7f}" || wrong == "a\nb\u{0}";
                let is_key = wrong == "NaN";
                if (field == "reason" && is_reason) || (field == "api_key" && is_key) {
                    continue;
                }
                let mut body = fields.clone();
                body.insert(field.clone(), wrong);
                all.push((path, json!(body).to_string(), None));
            }
        }
        let mut more = fields.clone();
        more.insert("tire".to_owned(), json!("pro"));
        all.push((path, json!(more).to_string(), Some("tire".to_owned())));
        let values: Vec<&Value> = fields.values().collect();
        let bodies = [json!(values), json!([valid]), json!("{}"), json!(7)];
        all.extend(bodies.map(|body| (path, body.to_string(), None)));
        let text = valid.to_string();
        let text = [
            String::new(),
            "null".to_owned(),
            "NaN".to_owned(),
            text[..text.len() - 1].to_owned(),
            format!("{text}{text}"),
            "[".repeat(10_000),
            "{\"a\":".repeat(2_000),
        ];
        all.extend(text.map(|body| (path, body, None)));
    }
    // A field that is there twice: which of them is meant?
    for (path, body) in [
        ("tier", r#"{"api_key":"k-alice","tier":"pro","tier":null}"#),
        (
            "tier",
            r#"{"api_key":"k-bob","api_key":"k-alice","tier":null}"#,
        ),
        (
            "clients/reset",
            r#"{"client":"10.0.0.1","client":"127.0.0.1"}"#,
        ),
        (
            "clients/reset",
            r#"{"client":"127.0.0.1","api_key":"k-alice"}"#,
        ),
        ("clients/reset", r#"{"client":null,"api_key":"k-alice"}"#),
        ("bypass", r#"{"reason":"x","minutes":0}"#),
        ("bypass", r#"{"reason":"x","minutes":1441}"#),
        ("bypass", r#"{"reason":"x","minutes":18446744073709551615}"#),
        ("bypass", r#"{"reason":"x","minutes":18446744073709551616}"#),
        ("bypass", r#"{"reason":"x","minutes":NaN}"#),
        ("bypass", r#"{"reason":"x","minutes":Infinity}"#),
        ("bypass", r#"{"reason":"x","minutes":"5"}"#),
    ] {
        all.push((path, body.to_owned(), None));
    }
    all
}

#[tokio::test]
async fn an_action_that_is_wrong_has_no_effect() {
    let server = RedisServer::start();
    let mut redis = server.connection().await;
    let () = redis
        .hset("api_key:k-alice", "tier", "pro")
        .await
        .expect("it is written");
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    assert_eq!(app.status("/").await, 200);
    let wrong = wrong_bodies();
    assert!(wrong.len() > 150, "{}", wrong.len());
    for is_bypassed in [false, true] {
        if is_bypassed {
            let bypass = limiter.start_bypass("a test", Duration::from_secs(600));
            bypass.await.expect("it is on");
        }
        let before = limiter.bypass();
        for (path, body, field) in &wrong {
            let answer = post(&app, path, body.clone()).await;
            let status = answer.status().as_u16();
            assert!([400, 422].contains(&status), "{status} for {path} {body}");
            let error = error(answer).await;
            if let Some(field) = field {
                assert!(error.contains(field), "{error:?} for {path} {body}");
            }
            assert_eq!(limiter.bypass(), before, "{path} {body}");
        }
        let tier: Option<String> = redis.hget("api_key:k-alice", "tier").await.expect("text");
        assert_eq!(tier.as_deref(), Some("pro"));
        let keys: Vec<String> = redis.keys("api_key:*").await.expect("keys");
        assert_eq!(keys, ["api_key:k-alice"]);
    }
    limiter.end_bypass().await.expect("it is off");
    assert_eq!(app.status("/").await, 429, "no quota was given back");
}

#[tokio::test]
async fn each_valid_action_is_done() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    for (path, body) in actions() {
        let body = if path == "tier" {
            json!({ "api_key": " k-alice ", "tier": null })
        } else {
            body
        };
        let answer = post(&app, path, body.to_string()).await;
        assert_eq!(answer.status(), 200, "{path} {body}");
    }
}

const BODY_MAX: usize = 16 * 1024;

#[tokio::test]
async fn an_action_s_body_is_bounded_whatever_the_app_allows() {
    let limiter = RateLimiter::default();
    let router = router(&limiter, with_token(&limiter)).layer(DefaultBodyLimit::disable());
    let app = App::start(router).await;
    let padded = |length: usize| {
        let body = json!({ "client": "127.0.0.1" }).to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let answer = post(&app, "clients/peek", padded(BODY_MAX)).await;
    assert_eq!(answer.status(), 200);
    for (path, _) in actions() {
        let answer = post(&app, path, padded(BODY_MAX + 1)).await;
        assert_eq!(answer.status(), 413, "{path}");
        let error = error(answer).await;
        assert!(error.contains("16384"), "{error}");
    }
    // Without a length that says so at once, and for as long as the server reads.
    let mut socket = TcpStream::connect(("127.0.0.1", app.port()))
        .await
        .expect("a connection");
    let head = format!(
        "POST /limits/api/tier HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.expect("it is sent");
    let (mut read, mut write) = socket.split();
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "[".repeat(64 * 1024));
    let mut sent = 0;
    let flood = async {
        while sent < 100 * 1024 * 1024 && write.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len();
        }
    };
    let mut answer = Vec::new();
    let answered = async {
        // A reset after the answer is its end, too.
        let _ = read.read_to_end(&mut answer).await;
    };
    tokio::join!(flood, answered);
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    assert!(sent < 20 * 1024 * 1024, "{sent} bytes were read");
}

/// A limiter that stands behind a proxy at the loopback address, with a clock that stands still.
fn behind_a_proxy() -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let builder = RateLimiter::builder()
        .store(store)
        .trusted_proxies(["127.0.0.1"])
        .forwarded_header(ForwardedHeader::XForwardedFor);
    (builder.build().expect("nothing is wrong with it"), clock)
}

async fn sign_in(app: &App, address: &str, token: &str) -> Response {
    let request = app
        .get("/limits/api/state")
        .bearer_auth(token)
        .header("x-forwarded-for", address);
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn wrong_tokens_are_limited_by_address_and_the_right_one_never() {
    let (limiter, clock) = behind_a_proxy();
    let app = start(&limiter).await;
    let guess = "a-token-that-is-guessed-at-0123456789";
    for _ in 0..10 {
        assert_eq!(sign_in(&app, "203.0.113.7", guess).await.status(), 401);
    }
    for _ in 0..20 {
        let answer = sign_in(&app, "203.0.113.7", guess).await;
        assert_eq!(answer.status(), 429);
        assert_eq!(header(&answer, "retry-after"), Some("6"));
        assert!(error(answer).await.contains("wrong token"));
        // Who shares the address with an attacker is not locked out.
        assert_eq!(sign_in(&app, "203.0.113.7", TOKEN).await.status(), 200);
    }
    assert_eq!(sign_in(&app, "203.0.113.8", guess).await.status(), 401);
    clock.advance(Duration::from_secs(6));
    assert_eq!(sign_in(&app, "203.0.113.7", guess).await.status(), 401);
    assert_eq!(sign_in(&app, "203.0.113.7", guess).await.status(), 429);
    // A page that is opened has no token yet, and that is no guess.
    for _ in 0..30 {
        assert_eq!(app.status("/limits/api/state").await, 401);
    }
    // Nor is a token that is longer than any, or one of two, hashed or taken.
    for tokens in [
        vec!["x".repeat(5_000)],
        vec![guess.to_owned(), TOKEN.to_owned()],
    ] {
        let mut request = app
            .get("/limits/api/state")
            .header("x-forwarded-for", "203.0.113.9");
        for token in &tokens {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        assert_eq!(request.send().await.expect("an answer").status(), 401);
    }
}

#[tokio::test]
async fn wrong_tokens_and_secrets_are_counted_and_logged_with_their_address_once_a_second() {
    let (log, _guard) = Log::begin();
    let clock = ManualClock::new();
    let store = MemoryStore::new().with_clock(clock.clone());
    let builder = RateLimiter::builder().store(store);
    let builder = builder.trusted_proxies(["127.0.0.1"]);
    let builder = builder.bypass_secret("a-secret-of-32-bytes-or-more-0000");
    let limiter = builder.build().expect("nothing is wrong with it");
    let app = start(&limiter).await;
    clock.advance(Duration::from_secs(3_600));
    for _ in 0..50 {
        sign_in(&app, "203.0.113.7", "wrong").await;
        let request = app.get("/").header("x-forwarded-for", "203.0.113.8");
        let request = request.header("x-ratelimit-bypass", "wrong");
        request.send().await.expect("an answer");
    }
    clock.advance(Duration::from_secs(1));
    sign_in(&app, "203.0.113.7", "wrong").await;
    let of = |words: &str| -> Vec<String> {
        let lines = log.lines().into_iter();
        lines.filter(|line| line.contains(words)).collect()
    };
    let [first, second] = &of("came with a wrong token")[..] else {
        panic!("{:?}", log.lines());
    };
    assert!(first.contains("ip:203.0.113.7"), "{first}");
    assert!(first.contains("left_out=0"), "{first}");
    assert!(second.contains("left_out=49"), "{second}");
    let [secret] = &of("came with a bypass secret")[..] else {
        panic!("{:?}", log.lines());
    };
    assert!(secret.contains("ip:203.0.113.8"), "{secret}");
    let wrong = limiter.wrong_credentials();
    assert_eq!((wrong.dashboard_token, wrong.bypass_secret), (51, 50));
    let state: Value = sign_in(&app, "203.0.113.7", TOKEN)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        state["wrong_credentials"],
        json!({ "dashboard_token": 51, "bypass_secret": 50 })
    );
}

const STREAMS_MAX: usize = 64;

#[tokio::test]
async fn event_streams_are_so_many_at_the_most() {
    let limiter = RateLimiter::default();
    let app = start(&limiter).await;
    let open = async || {
        let request = app.get("/limits/api/events").bearer_auth(TOKEN);
        request.send().await.expect("an answer")
    };
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        let stream = open().await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    let refused = open().await;
    assert_eq!(refused.status(), 503);
    assert!(header(&refused, "retry-after").is_some());
    assert!(error(refused).await.contains("64"));
    // What a page shows without a stream.
    assert_eq!(sign_in(&app, "203.0.113.7", TOKEN).await.status(), 200);
    // Each ends when its client goes, and others when they have been read to their end.
    streams.truncate(STREAMS_MAX / 2);
    while streams.len() < STREAMS_MAX {
        let last = Mutex::new(None);
        eventually("a stream that is free again", async || {
            let stream = open().await;
            let is_open = stream.status() == 200;
            *last.lock().expect("not poisoned") = Some(stream);
            is_open
        })
        .await;
        streams.extend(last.into_inner().expect("not poisoned"));
    }
    assert_eq!(open().await.status(), 503);
}

/// What a proxy that rewrites paths, or one that leaves them, has the router answer.
#[tokio::test]
async fn no_path_leads_elsewhere() {
    let limiter = RateLimiter::default();
    let page: Router = with_token(&limiter).into_router();
    let nested = Router::new().nest_service("/limits", page.clone());
    for path in [
        "/",
        "//attacker.example",
        "//attacker.example/",
        "//attacker.example/limits",
        "//attacker.example/limits/",
        "///attacker.example/limits",
        "/limits//attacker.example",
        "/limits/..//attacker.example",
        "/limits/%2e%2e//attacker.example/",
        "/limits/%5cattacker.example",
        "/%5cattacker.example/limits",
        "/%5c%5cattacker.example/limits/",
        "/limits/@attacker.example",
        "/limits/;@attacker.example",
        "/limits/%0d%0alocation:%20//attacker.example",
        "/limits/?//attacker.example",
        "/limits/api//attacker.example",
        "/limits/api/",
        "/limits//",
    ] {
        for (router, host) in [(&page, "localhost"), (&nested, "attacker.example")] {
            let uri: Uri = path.parse().expect(path);
            let request = Request::builder().uri(uri).header("host", host);
            let request = request.body(axum::body::Body::empty()).expect("a request");
            let answer = router.clone().oneshot(request).await.expect("an answer");
            assert!(!answer.status().is_redirection(), "{path}");
            assert!(!answer.headers().contains_key("location"), "{path}");
            let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
            let body = String::from_utf8_lossy(&body.expect("a body")).into_owned();
            assert!(!body.contains("attacker"), "{path}");
        }
    }
}

/// What the page computes with: JavaScript is exact to 2^53, and its dates end with the year 275760.
fn is_fit_for_a_page(value: &Value) -> bool {
    match value {
        Value::Number(number) => number
            .as_f64()
            .is_some_and(|n| n.abs() < 9_007_199_254_740_992.0),
        Value::String(text) => text.len() < 2_000,
        Value::Array(all) => all.iter().all(is_fit_for_a_page),
        Value::Object(all) => all.values().all(is_fit_for_a_page),
        Value::Null | Value::Bool(_) => true,
    }
}

#[tokio::test]
async fn what_others_write_in_redis_is_bounded_for_the_page() {
    let server = RedisServer::start();
    let mut redis = server.connection().await;
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    let state = async || -> Value {
        let answer = sign_in(&app, "203.0.113.7", TOKEN).await;
        answer.json().await.expect("JSON")
    };
    let slot = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
        / 10;
    for slot in slot - 6..slot + 3 {
        let key = format!("ratelimit:{{fleet}}:stats:{slot}");
        let () = redis.set(key, &[0xff; 5_000]).await.expect("it is written");
    }
    for since in [
        "18446744073709551615",
        "8640000000000001",
        "9007199254740993",
        "0",
    ] {
        for reason in ["a reason".to_owned(), "x".repeat(1 << 20)] {
            let bypass = format!(r#"{{"reason":"{reason}","since_ms":{since}}}"#);
            let () = redis
                .pset_ex("ratelimit:{fleet}:bypass", bypass, 4_000_000_000_000_000)
                .await
                .expect("it is written");
            let reads = server.calls("getrange").await;
            eventually("the bypass is read", async || {
                server.calls("getrange").await > reads + 1
            })
            .await;
            let state = state().await;
            assert!(is_fit_for_a_page(&state), "{since}: {state}");
        }
    }
}

#[rate_limit(limit = 2, per = "1h", algo = "token_bucket", name = "poisoned bucket")]
async fn in_a_bucket() {}

#[rate_limit(limit = 2, per = "1h", algo = "fixed_window", name = "poisoned window")]
async fn in_a_window() {}

#[tokio::test]
async fn a_bucket_that_others_have_written_is_looked_at_within_bounds() {
    let server = RedisServer::start();
    let mut redis = server.connection().await;
    let limiter = limiter_on(&server).await;
    let router = Router::new()
        .route("/", get(limited))
        .route("/bucket", get(in_a_bucket))
        .route("/window", get(in_a_window))
        .layer(Extension(limiter.clone()))
        .nest_service("/limits", with_token(&limiter).into_router());
    let app = App::start(router).await;
    for path in ["/", "/bucket", "/window"] {
        assert_eq!(app.status(path).await, 200);
    }
    let keys: Vec<String> = redis.keys("ratelimit:{ip:*").await.expect("keys");
    assert_eq!(keys.len(), 3, "{keys:?}");
    for value in [
        "",
        "0",
        "-1",
        "NaN",
        "inf",
        "1e308",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551615:18446744073709551615",
        "1:9223372036854775807",
        "\u{0}\u{ff}",
    ] {
        for key in &keys {
            let () = redis
                .set_options(
                    key,
                    value,
                    SetOptions::default().with_expiration(SetExpiry::EX(3_600)),
                )
                .await
                .expect("it is written");
            let body = json!({ "client": "127.0.0.1" }).to_string();
            let answer = post(&app, "clients/peek", body).await;
            let status = answer.status().as_u16();
            assert!(
                [200, 503].contains(&status),
                "{status} for {value} in {key}"
            );
            let answer: Value = answer.json().await.expect("JSON");
            assert!(is_fit_for_a_page(&answer), "{value} in {key}: {answer}");
        }
    }
}
