//! Status, headers and body of every kind of answer.

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::Query,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use ratelimit::{RateLimitStatus, rate_limit};
use ratelimit_tests::{App, header};
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::limiters;

#[derive(Deserialize)]
struct Search {
    #[serde(rename = "q")]
    text: String,
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

enum AppError {
    Teapot,
}

impl IntoResponse for AppError {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Teapot => (StatusCode::IM_A_TEAPOT, "short and stout").into_response(),
        }
    }
}

#[rate_limit(tier_header = "X-API-Key", free = 3, pro = 600, internal = unlimited, name = "search")]
async fn search(Query(Search { text }): Query<Search>) -> Result<String, AppError> {
    if text == "tea" {
        return Err(AppError::Teapot);
    }
    Ok(text)
}

#[rate_limit(limit = 100, algo = "fixed_window", name = "login")]
async fn login(Json(Login { user }): Json<Login>) -> String {
    user
}

#[rate_limit(tier_header = "X-API-Key", free = 2, internal = unlimited, algo = token_bucket, name = "status")]
async fn status(status: RateLimitStatus) -> Json<Value> {
    Json(json!({
        "policy": status.policy().name(),
        "tier": status.tier().name(),
        "limit": status.limit(),
        "remaining": status.remaining(),
        "reset": status.reset_after().map(|reset| reset.as_millis()),
    }))
}

#[rate_limit(limit = 5, cost = 3, per = "10s", name = "expensive")]
async fn expensive() -> &'static str {
    "done"
}

async fn unlimited(status: Option<RateLimitStatus>) -> String {
    format!("{}", status.is_none())
}

async fn mistaken(_: RateLimitStatus) {}

fn router() -> Router {
    Router::new()
        .route("/search", get(search))
        .route("/login", post(login))
        .route("/status", get(status))
        .route("/expensive", get(expensive))
        .route("/unlimited", get(unlimited))
        .route("/mistaken", get(mistaken))
}

fn limit_headers(response: &Response) -> [Option<&str>; 3] {
    [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ]
    .map(|name| header(response, name))
}

#[tokio::test]
async fn every_answer_of_a_limited_handler_has_the_headers() {
    for (limiter, clock) in limiters("headers").await {
        let app = App::start(router().layer(Extension(limiter))).await;

        let ok = app.get("/search?q=x").send().await.expect("an answer");
        assert_eq!(ok.status(), 200);
        assert_eq!(limit_headers(&ok), [Some("3"), Some("2"), Some("60")]);
        assert_eq!(header(&ok, "retry-after"), None);
        assert_eq!(header(&ok, "cache-control"), None);

        // The handler's error, and an extractor's rejection.
        let error = app.get("/search?q=tea").send().await.expect("an answer");
        assert_eq!(error.status(), 418);
        assert_eq!(limit_headers(&error), [Some("3"), Some("1"), Some("60")]);
        clock.advance(Duration::from_secs(20));
        let rejected = app.get("/search").send().await.expect("an answer");
        assert_eq!(rejected.status(), 400);
        assert_eq!(limit_headers(&rejected), [Some("3"), Some("0"), Some("60")]);

        let denied = app.get("/search?q=x").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        assert_eq!(limit_headers(&denied), [Some("3"), Some("0"), Some("60")]);
        assert_eq!(header(&denied, "retry-after"), Some("40"));
        assert_eq!(header(&denied, "cache-control"), Some("no-store"));
        assert_eq!(
            header(&denied, "content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            denied.json::<Value>().await.expect("JSON"),
            json!({
                "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
                "title": "Too Many Requests",
                "status": 429,
                "detail": "3 requests are allowed per minute on the tier free. Try again in 40 seconds.",
                "error": "Rate limit exceeded",
                "violated-policies": ["search"],
                "tier": "free",
                "limit": 3,
                "remaining": 0,
                "retry_after": 40,
                "reset": 60,
            })
        );
    }
}

#[tokio::test]
async fn what_a_body_extractor_rejects_has_the_headers() {
    for (limiter, _) in limiters("rejections").await {
        let app = App::start(router().layer(Extension(limiter))).await;
        let json = "application/json";
        let cases = [
            (json, r#"{"user": "ann"}"#, 200, "99"),
            (json, r#"{"user": "#, 400, "98"),
            ("text/plain", "ann", 415, "97"),
            (json, r#"{"name": "ann"}"#, 422, "96"),
        ];
        for (content_type, body, status, left) in cases {
            let request = app.post("/login").header("content-type", content_type);
            let response = request.body(body).send().await.expect("an answer");
            assert_eq!(response.status(), status);
            assert_eq!(
                limit_headers(&response),
                [Some("100"), Some(left), Some("60")]
            );
        }
    }
}

#[tokio::test]
async fn a_caller_without_a_limit_has_none_reported() {
    for (limiter, _) in limiters("unlimited").await {
        let app = App::start(router().layer(Extension(limiter))).await;
        for _ in 0..20 {
            let request = app.get("/search?q=x").header("x-api-key", "k-internal");
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200);
            assert_eq!(limit_headers(&response), [None; 3]);
        }
    }
}

#[tokio::test]
async fn a_handler_sees_its_own_status() {
    for (limiter, _) in limiters("status").await {
        let app = App::start(router().layer(Extension(limiter))).await;
        let seen = app.get("/status").send().await.expect("an answer");
        assert_eq!(
            seen.json::<Value>().await.expect("JSON"),
            json!({"policy": "status", "tier": "free", "limit": 2, "remaining": 1, "reset": 30_000})
        );
        let request = app.get("/status").header("x-api-key", "k-internal");
        let seen = request.send().await.expect("an answer");
        assert_eq!(
            seen.json::<Value>().await.expect("JSON"),
            json!({"policy": "status", "tier": "internal", "limit": null, "remaining": null, "reset": null})
        );
        let none = app.get("/unlimited").send().await.expect("an answer");
        assert_eq!(none.text().await.expect("text"), "true");
        assert_eq!(app.status("/mistaken").await, 500);
    }
}

#[tokio::test]
async fn a_request_counts_as_its_cost() {
    for (limiter, clock) in limiters("cost").await {
        let app = App::start(router().layer(Extension(limiter))).await;
        let first = app.get("/expensive").send().await.expect("an answer");
        assert_eq!(limit_headers(&first), [Some("5"), Some("2"), Some("10")]);
        clock.advance(Duration::from_millis(2_500));
        let denied = app.get("/expensive").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        assert_eq!(limit_headers(&denied), [Some("5"), Some("2"), Some("8")]);
        assert_eq!(
            header(&denied, "retry-after"),
            Some("8"),
            "7.5 s, rounded up"
        );
        clock.advance(Duration::from_millis(7_499));
        assert_eq!(app.status("/expensive").await, 429, "a millisecond early");
        clock.advance(Duration::from_millis(1));
        assert_eq!(app.status("/expensive").await, 200);
    }
}

#[tokio::test]
async fn retry_after_is_never_zero() {
    for (limiter, clock) in limiters("never_zero").await {
        let app = App::start(router().layer(Extension(limiter))).await;
        assert_eq!(app.status("/expensive").await, 200);
        clock.advance(Duration::from_micros(9_999_999));
        let denied = app.get("/expensive").send().await.expect("an answer");
        assert_eq!(denied.status(), 429);
        assert_eq!(
            header(&denied, "retry-after"),
            Some("1"),
            "a microsecond, rounded up"
        );
    }
}
