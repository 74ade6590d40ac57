use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use ratelimit_tests::{RedisServer, eventually, header};
use serde_json::{Value, json};

use crate::program::{Program, complaint, figures, send};

const TOKEN: &str = "a-token-that-nobody-else-can-have";

fn start(environment: &[(&str, &str)]) -> Program {
    let quiet = [("LOAD", "off"), ("DASHBOARD_TOKEN", TOKEN)];
    Program::start("monitoring", &[&quiet, environment].concat())
}

async fn metrics(program: &Program) -> String {
    let response = send(program.get("/metrics")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header(&response, "content-type"),
        Some("text/plain; version=0.0.4")
    );
    response.text().await.expect("text")
}

async fn has(program: &Program, line: &str) -> bool {
    metrics(program).await.lines().any(|found| found == line)
}

/// Waits until a line is among the metrics, which are published once a second.
async fn published(program: &Program, line: &str) {
    eventually(line, || has(program, line)).await;
}

const REQUESTS: [&str; 7] = [
    r#"ratelimit_requests_total{policy="reports",tier="default",outcome="allowed"} 5"#,
    r#"ratelimit_requests_total{policy="reports",tier="default",outcome="limited"} 2"#,
    r#"ratelimit_requests_total{policy="search",tier="free",outcome="allowed"} 5"#,
    r#"ratelimit_requests_total{policy="search",tier="internal",outcome="allowed"} 2"#,
    r#"ratelimit_requests_total{policy="search",tier="pro",outcome="allowed"} 2"#,
    r#"ratelimit_requests_total{policy="suggestions",tier="default",outcome="allowed"} 20"#,
    r#"ratelimit_requests_total{policy="suggestions",tier="default",outcome="shadow"} 2"#,
];

const OTHERS: [&str; 8] = [
    "ratelimit_limited_clients 1",
    "ratelimit_bypass_active 0",
    r#"ratelimit_tier_lookups_total{result="hit"} 4"#,
    r#"ratelimit_tier_lookups_total{result="miss"} 4"#,
    r#"ratelimit_tier_lookups_total{result="error"} 0"#,
    r#"ratelimit_tier_lookups_total{result="throttled"} 0"#,
    r#"ratelimit_wrong_credentials_total{credential="dashboard_token"} 0"#,
    r#"ratelimit_wrong_credentials_total{credential="bypass_secret"} 0"#,
];

/// Sends the requests that those figures are of.
async fn send_some(program: &Program) {
    for (key, times) in [
        (None, 1),
        (Some("demo-free"), 3),
        (Some("demo-pro"), 2),
        (Some("demo-internal"), 2),
        (Some("demo-made-up"), 1),
    ] {
        for _ in 0..times {
            let request = program.get("/search");
            let request = match key {
                Some(key) => request.header("x-api-key", key),
                None => request,
            };
            assert_eq!(send(request).await.status(), 200);
        }
    }
    let visit = |path| send(program.get(path).header("x-forwarded-for", "203.0.113.7"));
    for n in 1..=7 {
        let status = visit("/reports").await.status();
        assert_eq!(status, if n <= 5 { 200 } else { 429 });
    }
    for _ in 0..22 {
        assert_eq!(figures(&visit("/suggestions").await), (200, None, None));
    }
    for _ in 0..30 {
        assert_eq!(figures(&visit("/health").await), (200, None, None));
    }
}

/// Every request is counted once, and nothing beside them.
async fn counts_are_exact(program: &Program) {
    for line in REQUESTS.iter().chain(&OTHERS) {
        published(program, line).await;
    }
    let metrics = metrics(program).await;
    let requests = |line: &&str| line.starts_with("ratelimit_requests_total");
    let (none, some): (Vec<&str>, Vec<&str>) = metrics
        .lines()
        .filter(requests)
        .partition(|line| line.ends_with(" 0"));
    assert_eq!(BTreeSet::from_iter(some), BTreeSet::from(REQUESTS));
    // Six outcomes of each of five pairs of a policy and a tier.
    assert_eq!(none.len() + REQUESTS.len(), 6 * 5, "{none:?}");
}

#[tokio::test]
async fn the_metrics_tell_of_each_request_once_and_of_nobody() {
    let program = start(&[]);
    send_some(&program).await;
    counts_are_exact(&program).await;

    let metrics = metrics(&program).await;
    assert!(
        metrics.contains("# TYPE ratelimit_check_duration_seconds histogram"),
        "{metrics}"
    );
    let bucket = r#"ratelimit_check_duration_seconds_bucket{le="0.001"}"#;
    assert!(metrics.contains(bucket), "{metrics}");
    // There is no store that could be out.
    assert!(!metrics.contains("ratelimit_store"), "{metrics}");
    for said in ["demo-", "203.0.113.", "127.0.0.1", "ip:", "key:", TOKEN] {
        assert!(!metrics.contains(said), "{said} is in {metrics}");
    }
}

#[tokio::test]
async fn with_redis_they_tell_of_its_outages_too() {
    let mut redis = RedisServer::start();
    let program = start(&[("REDIS_URL", &redis.url())]);
    send_some(&program).await;
    counts_are_exact(&program).await;
    published(&program, "ratelimit_store_up 1").await;
    published(&program, "ratelimit_store_outages_total 0").await;

    let metrics = metrics(&program).await;
    let exported = names(&metrics);
    for file in ["alerts.yml", "grafana.json"] {
        let used = names(&read(file));
        assert!(used.len() > 5, "{file} uses only {used:?}");
        let missing: Vec<_> = used.difference(&exported).collect();
        assert!(missing.is_empty(), "{file} uses {missing:?}");
    }

    redis.stop();
    eventually("an outage", || async {
        send(program.get("/search")).await;
        has(&program, "ratelimit_store_up 0").await
    })
    .await;
    published(&program, "ratelimit_store_outages_total 1").await;
    redis.cont();
    published(&program, "ratelimit_store_up 1").await;
    published(&program, "ratelimit_store_outages_total 1").await;
}

/// The metrics that a text names.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let names = words.filter(|word| word.starts_with("ratelimit_"));
    let histogram = "ratelimit_check_duration_seconds";
    let metric = |name: &str| match name.strip_prefix(histogram) {
        Some("_bucket" | "_sum" | "_count") => histogram.to_owned(),
        _ => name.to_owned(),
    };
    names.map(metric).collect()
}

#[tokio::test]
async fn the_page_opens_with_the_token() {
    let program = start(&[]);
    let page = send(program.get("/limits")).await;
    assert_eq!(page.status(), 200);
    assert_eq!(
        header(&page, "content-type"),
        Some("text/html; charset=utf-8")
    );

    let state = || program.get("/limits/api/state");
    assert_eq!(send(state()).await.status(), 401);
    let wrong = state().bearer_auth("a-token-that-somebody-has-guessed");
    assert_eq!(send(wrong).await.status(), 401);
    let state = send(state().bearer_auth(TOKEN)).await;
    assert_eq!(state.status(), 200);
    let state: Value = state.json().await.expect("JSON");
    let policies = state["policies"].as_array().expect("policies").iter();
    let names: BTreeSet<_> = policies
        .filter_map(|policy| policy["name"].as_str())
        .collect();
    assert_eq!(names, BTreeSet::from(["reports", "search", "suggestions"]));
}

#[tokio::test]
async fn without_a_token_it_makes_one_up_each_time() {
    let mut tokens = BTreeSet::new();
    for _ in 0..2 {
        let mut program = start(&[("DASHBOARD_TOKEN", "")]);
        let token = loop {
            let line = program.line().expect("it says the token");
            if let Some((_, token)) = line.split_once("asks for the token ") {
                break token.trim().to_owned();
            }
        };
        let state = program.get("/limits/api/state").bearer_auth(&token);
        assert_eq!(send(state).await.status(), 200);
        tokens.insert(token);
    }
    assert_eq!(tokens.len(), 2, "{tokens:?}");
}

#[tokio::test]
async fn a_token_from_the_environment_is_not_printed() {
    let mut program = start(&[]);
    loop {
        let line = program.line().expect("it says what to try");
        assert!(!line.contains(TOKEN), "{line}");
        if line.contains("/health") {
            break;
        }
    }
}

#[tokio::test]
async fn its_own_load_has_clients_turned_away() {
    let program = start(&[("LOAD", "")]);
    let limited = r#"ratelimit_requests_total{policy="reports",tier="default",outcome="limited"} "#;
    eventually("a 429", || async {
        let metrics = metrics(&program).await;
        let count = metrics.lines().find_map(|line| line.strip_prefix(limited));
        count.is_some_and(|count| count != "0")
    })
    .await;
}

#[test]
fn what_cannot_work_is_said_in_a_sentence() {
    for (name, value, expected) in [
        ("LOAD", "x", "LOAD=x is neither on nor off"),
        (
            "DASHBOARD_TOKEN",
            "short",
            "the dashboard's token is 5 bytes long",
        ),
    ] {
        let said = complaint("monitoring", &[(name, value)]);
        assert!(
            said.starts_with(&format!("monitoring: {expected}")),
            "{said}"
        );
    }
}

#[test]
fn prometheus_takes_the_configuration_and_the_alerts() {
    promtool(&["check", "config"], path("prometheus.yml"));
    promtool(&["check", "rules"], path("alerts.yml"));
}

#[test]
fn alerts_fire_when_they_should_and_not_otherwise() {
    promtool(&["test", "rules"], path("alerts_test.yml"));
    let (alerts, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(!names.is_empty(), "there are alerts");
    for name in names {
        let tested = format!("alertname: {name}\n");
        assert!(tests.matches(&tested).count() >= 2, "{name} is not tested");
    }
}

#[test]
fn prometheus_understands_what_grafana_asks() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    // As recording rules, so that promtool reads them. Grafana puts in the interval.
    let rules: Vec<Value> = targets
        .enumerate()
        .map(|(n, target)| {
            let query = target["expr"].as_str().expect("a query");
            json!({ "record": format!("query:{n}"), "expr": query.replace("$__rate_interval", "1m") })
        })
        .collect();
    assert!(rules.len() >= 10, "{rules:?}");
    let rules = json!({ "groups": [{ "name": "grafana", "rules": rules }] });
    // JSON is YAML, too.
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("grafana_queries.yml");
    fs::write(&file, rules.to_string()).expect("it can be written");
    promtool(&["check", "rules"], file);
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("monitoring")
        .join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).expect("it is there")
}

/// Runs promtool, which must have nothing to say against the file.
fn promtool(what: &[&str], file: PathBuf) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("promtool")
        .args(what)
        .arg(file)
        .output()
        .expect("promtool can be run (is it installed? tests/run sees to it)");
    let said = [stdout, stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(status.success(), "{}", said.concat());
}
