//! `cost` and `refund_if`, and what a handler charges or gives back itself.

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::Query,
    http::{StatusCode, request::Parts},
    response::Response,
    routing::{get as route, post},
};
use ratelimit::{RateLimitStatus, RateLimiter, rate_limit};
use ratelimit_tests::{App, header};

use super::{get, left};
use crate::limiters;

fn length(parts: &Parts) -> u32 {
    let query = parts.uri.query().unwrap_or_default();
    u32::try_from(query.len()).unwrap_or(u32::MAX)
}

#[rate_limit(limit = 10, cost = length)]
async fn by_function() {}

#[rate_limit(limit = 10, cost = COST * 2)]
async fn by_constant() {}

const COST: u32 = 2;

fn has_logged_in(response: &Response) -> bool {
    response.status() != StatusCode::UNAUTHORIZED
}

macro_rules! logins {
    ($($name:ident $algo:literal),+) => {
        $(#[rate_limit(limit = 3, algo = $algo, refund_if = has_logged_in)]
        async fn $name(Json(password): Json<String>) -> StatusCode {
            if password == "swordfish" {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            }
        })+
    };
}

logins!(tokens "token_bucket", sliding "sliding_window", fixed "fixed_window");

#[rate_limit(limit = 100, algo = "token_bucket")]
async fn by_answer(status: RateLimitStatus, Query(query): Query<Vec<(String, u32)>>) -> String {
    for (_, tokens) in query {
        status.charge(tokens).await;
    }
    format!("{:?}", status.remaining())
}

#[rate_limit(limit = 5, cost = 3)]
async fn given_back(status: RateLimitStatus) {
    status.refund().await;
    status.refund().await;
}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/function", route(by_function))
        .route("/constant", route(by_constant))
        .route("/tokens", post(tokens))
        .route("/sliding", post(sliding))
        .route("/fixed", post(fixed))
        .route("/answer", route(by_answer))
        .route("/given_back", route(given_back))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn a_function_says_what_a_request_costs() {
    for (limiter, _) in limiters("cost_function").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(get(&app, "/function?abc").await, left(200, "7"));
        assert_eq!(get(&app, "/function").await, left(200, "7"), "for nothing");
        assert_eq!(get(&app, "/function?abcdefg").await, left(200, "0"));
        assert_eq!(
            get(&app, "/function").await,
            left(200, "0"),
            "still for nothing"
        );

        let never = app.get("/function?a-cost-above-ten").send().await;
        let never = never.expect("an answer");
        assert_eq!(never.status(), 429);
        assert_eq!(
            header(&never, "retry-after"),
            None,
            "it never will be admitted"
        );
        let text = never.text().await.expect("text");
        assert!(text.contains("costs more than that"), "{text}");

        assert_eq!(get(&app, "/constant").await, left(200, "6"));
    }
}

#[tokio::test]
async fn only_failed_logins_count() {
    for (limiter, clock) in limiters("logins").await {
        let app = App::start(router(limiter)).await;
        for path in ["/tokens", "/sliding", "/fixed"] {
            let login = async |password: &str| {
                let response = app.post(path).json(password).send().await;
                let response = response.expect("an answer");
                let left = header(&response, "x-ratelimit-remaining").unwrap_or("-");
                (response.status().as_u16(), left.to_owned())
            };
            for _ in 0..10 {
                assert_eq!(login("swordfish").await, (200, "3".to_owned()), "{path}");
            }
            // What is no login at all is not a failed one either.
            let malformed = app.post(path).body("x").send().await.expect("an answer");
            assert_eq!(malformed.status(), 415);
            assert_eq!(header(&malformed, "x-ratelimit-remaining"), Some("3"));
            for left in ["2", "1", "0"] {
                assert_eq!(login("guess").await, (401, left.to_owned()), "{path}");
            }
            assert_eq!(login("swordfish").await.0, 429, "{path}");
            clock.advance(Duration::from_secs(60));
            assert_eq!(login("swordfish").await, (200, "3".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_handler_charges_what_it_has_used_and_nobody_gets_into_debt() {
    for (limiter, clock) in limiters("charge").await {
        let app = App::start(router(limiter)).await;
        let response = app
            .get("/answer?a=30&b=20")
            .send()
            .await
            .expect("an answer");
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("49"));
        assert_eq!(response.text().await.expect("text"), "Some(49)");
        assert_eq!(get(&app, "/answer?a=1000000").await, left(200, "0"));
        assert_eq!(get(&app, "/answer").await, left(429, "0"));
        // 100 a minute: the floor is an empty bucket, so there is one again in 0.6 s.
        clock.advance(Duration::from_millis(600));
        assert_eq!(get(&app, "/answer").await, left(200, "0"));
    }
}

#[tokio::test]
async fn a_handler_gives_its_cost_back_once() {
    for (limiter, _) in limiters("given_back").await {
        let app = App::start(router(limiter)).await;
        for _ in 0..5 {
            assert_eq!(get(&app, "/given_back").await, left(200, "5"));
        }
    }
}
