use std::{net::TcpListener, process::Output};

use ratelimit_tests::{RedisServer, header};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::program::Program;

async fn send(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn the_routes_are_limited_as_they_say() {
    let program = Program::start("quickstart", &[]);
    let client = Client::new();
    let get = |path: &str| client.get(format!("{}{path}", program.url));

    let hits = send(get("/search?q=bucket")).await;
    assert_eq!(hits.status(), 200);
    assert_eq!(header(&hits, "x-ratelimit-limit"), Some("60"));
    assert_eq!(header(&hits, "x-ratelimit-remaining"), Some("19"));
    assert_eq!(
        hits.json::<Value>().await.expect("JSON"),
        json!({"hits": ["a bucket of tokens"]})
    );
    let nothing = send(get("/search")).await;
    assert_eq!(nothing.status(), 400);
    assert_eq!(header(&nothing, "x-ratelimit-limit"), Some("60"));
    let pro = send(get("/search?q=o").header("x-api-key", "demo-pro")).await;
    assert_eq!(header(&pro, "x-ratelimit-limit"), Some("600"));
    let internal = send(get("/search?q=o").header("x-api-key", "demo-internal")).await;
    assert_eq!(header(&internal, "x-ratelimit-limit"), None);

    for n in 1..=6 {
        let report = send(get("/reports")).await;
        assert_eq!(report.status(), if n <= 5 { 200 } else { 429 });
    }
    let pro = send(get("/reports").header("x-api-key", "demo-pro")).await;
    assert_eq!(
        pro.text().await.expect("text"),
        "the report for the tier pro\n"
    );

    for n in 1..=6 {
        let login = client.post(format!("{}/login", program.url));
        let login = send(login.json(&json!({"user": "ann"}))).await;
        assert_eq!(login.status(), if n <= 5 { 401 } else { 429 });
        if n == 6 {
            let problem: Value = login.json().await.expect("JSON");
            assert_eq!(problem["error"], "Rate limit exceeded");
        }
    }
    for _ in 0..30 {
        let health = send(get("/health")).await;
        assert_eq!(health.status(), 200);
        assert_eq!(header(&health, "x-ratelimit-limit"), None);
    }
}

#[tokio::test]
async fn with_redis_several_programs_share_the_limits() {
    let redis = RedisServer::start();
    let environment = [("REDIS_URL", &*redis.url())];
    let programs = [(); 2].map(|()| Program::start("quickstart", &environment));
    let client = Client::new();
    for n in 1..=6 {
        let url = format!("{}/reports", programs[n % 2].url);
        let report = send(client.get(url)).await;
        assert_eq!(report.status(), if n <= 5 { 200 } else { 429 });
    }
}

#[test]
fn what_cannot_work_is_said_in_a_sentence() {
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let cases = [
        (("PORT", port.to_string()), "another program listens"),
        (("PORT", "x".to_owned()), "PORT=x is not a port"),
        (("PORT", "65536".to_owned()), "PORT=65536 is not a port"),
        (
            ("REDIS_URL", "nonsense".to_owned()),
            "REDIS_URL: the Redis URL cannot be read",
        ),
        (
            ("REDIS_URL", "redis://127.0.0.1:1".to_owned()),
            "cannot connect to Redis at 127.0.0.1:1",
        ),
    ];
    for ((name, value), expected) in cases {
        let output = Program::run("quickstart", &[(name, &value)]);
        assert_eq!(output.status.code(), Some(1), "{name}={value}");
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert!(!said(&output).contains("panicked"), "{}", said(&output));
    }
}
