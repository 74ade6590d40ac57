//! A layer's rejections, as clients of gRPC and gRPC-Web get them.

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    http::{Method, Request, Version, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::any,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use ratelimit::{RateLimitExceeded, RateLimitLayer, RateLimiter, policy};
use ratelimit_tests::{App, RedisServer};
use tower::ServiceExt;

use crate::{http2, impatient_limiter_on, limiters};

policy! { Calls: limit = 1, per = "1m" }

policy! { Denied: limit = 1, per = "1m", on_store_error = "deny" }

fn with_length(_: &RateLimitExceeded) -> Response {
    let headers = [("content-length", "5"), ("content-encoding", "br")];
    (axum::http::StatusCode::TOO_MANY_REQUESTS, headers, "12345").into_response()
}

policy! { Custom: limit = 1, per = "1m", on_limited = with_length }

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .fallback(any(async || ()))
        .layer(RateLimitLayer::<Calls>::new())
        .layer(Extension(limiter))
}

/// What a client is answered.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    content_type: String,
    grpc_status: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        Self {
            status: response.status().as_u16(),
            content_type: header("content-type").unwrap_or_default(),
            grpc_status: header("grpc-status"),
            body: to_bytes(response.into_body(), 10_000)
                .await
                .expect("a body")
                .into(),
        }
    }
}

/// The answer to a request over the limit.
async fn rejection(method: Method, version: Version, headers: &[(&str, &str)]) -> Answer {
    let router = router(RateLimiter::default());
    let mut last = None;
    for _ in 0..2 {
        let mut request = Request::builder()
            .method(method.clone())
            .version(version)
            .uri("/package.Service/Method");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        last = Some(router.clone().oneshot(request).await.expect("an answer"));
    }
    Answer::of(last.expect("two answers")).await
}

/// The frame of gRPC-Web that ends a body: flag, length, and trailers.
fn frame(trailers: &str) -> Vec<u8> {
    let length = u8::try_from(trailers.len()).expect("few");
    [&[0x80, 0, 0, 0, length], trailers.as_bytes()].concat()
}

const EXHAUSTED: &str = "grpc-status:8\r\ngrpc-message:Rate limit exceeded\r\n";

#[tokio::test]
async fn a_client_of_grpc_gets_a_status_it_understands() {
    for (limiter, _) in limiters("grpc").await {
        let app = App::start(router(limiter)).await;
        let client = http2();
        for n in 1..=3 {
            let request = Request::post(app.at("/")).header(CONTENT_TYPE, "application/grpc+proto");
            let request = request.body(Body::empty()).expect("a request");
            let response = client.request(request).await.expect("an answer");
            let header = |name: &str| response.headers().get(name)?.to_str().ok();
            assert_eq!(response.status(), 200);
            if n == 1 {
                assert_eq!(header("grpc-status"), None);
            } else {
                assert_eq!(header("grpc-status"), Some("8"));
                assert_eq!(header("grpc-message"), Some("Rate limit exceeded"));
                assert_eq!(header("content-type"), Some("application/grpc"));
                assert_eq!(header("retry-after"), Some("60"));
                assert_eq!(header("x-ratelimit-limit"), Some("1"));
                let body = to_bytes(Body::new(response.into_body()), 10_000).await;
                assert_eq!(body.expect("a body").len(), 0);
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_grpc_web_gets_it_in_the_body_over_any_version() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for (content_type, answered) in [
            ("application/grpc-web", "application/grpc-web+proto"),
            ("application/grpc-web+proto", "application/grpc-web+proto"),
            ("application/grpc-web+json", "application/grpc-web+json"),
            ("application/grpc-web;a=b", "application/grpc-web+proto"),
            (
                "application/grpc-web-text",
                "application/grpc-web-text+proto",
            ),
            (
                "application/grpc-web-text+proto",
                "application/grpc-web-text+proto",
            ),
        ] {
            let headers = [("content-type", content_type)];
            let answer = rejection(Method::POST, version, &headers).await;
            let body = frame(EXHAUSTED);
            let body = if content_type.contains("text") {
                BASE64_STANDARD.encode(body).into_bytes()
            } else {
                body
            };
            let expected = Answer {
                status: 200,
                content_type: answered.to_owned(),
                grpc_status: None,
                body,
            };
            assert_eq!(answer, expected, "{content_type} {version:?}");
        }
    }
    // Binary messages, and text asked for.
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("accept", "application/grpc-web-text"),
    ];
    let answer = rejection(Method::POST, Version::HTTP_11, &headers).await;
    assert_eq!(answer.content_type, "application/grpc-web-text+proto");
    let body = BASE64_STANDARD.decode(answer.body).expect("base64");
    assert_eq!(body, frame(EXHAUSTED));
}

#[tokio::test]
async fn what_is_no_call_gets_the_usual_rejection() {
    let (http1, http2) = (Version::HTTP_11, Version::HTTP_2);
    for (method, version, content_type) in [
        (Method::GET, http1, "application/grpcX"),
        (Method::POST, http1, "application/grpcX"),
        (Method::POST, http2, "application/grpcX"),
        (Method::POST, http2, "application/grpc-foo"),
        (Method::POST, http1, "application/grpc"),
        (Method::POST, http1, "application/grpc+proto"),
        (Method::GET, http2, "application/grpc"),
        (Method::PUT, http2, "application/grpc"),
        (Method::GET, http1, "application/grpc-web"),
        (Method::OPTIONS, http1, "application/grpc-web"),
        (Method::POST, http1, "application/grpc-webX"),
        (Method::POST, http1, "text/plain"),
    ] {
        let what = format!("{method} {version:?} {content_type}");
        let headers = [("content-type", content_type)];
        let answer = rejection(method, version, &headers).await;
        assert_eq!(answer.status, 429, "{what}");
        assert_eq!(answer.content_type, "application/problem+json", "{what}");
        assert_eq!(answer.grpc_status, None, "{what}");
        assert!(!answer.body.is_empty(), "{what}");
    }
    // Twice, it is no clear answer to what the client is.
    let headers = [
        ("content-type", "application/grpc"),
        ("content-type", "text/plain"),
    ];
    assert_eq!(rejection(Method::POST, http2, &headers).await.status, 429);
}

#[tokio::test]
async fn an_answer_of_the_policys_own_leaves_no_length_behind() {
    let router = Router::new()
        .fallback(any(async || ()))
        .layer(RateLimitLayer::<Custom>::new())
        .layer(Extension(RateLimiter::default()));
    let app = App::start(router).await;
    app.status("/").await;
    for _ in 0..2 {
        let request = app
            .post("/")
            .header("content-type", "application/grpc-web+proto");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-encoding"), None);
        let body = response.bytes().await.expect("a body");
        assert_eq!(body, frame(EXHAUSTED));
    }
}

#[tokio::test]
async fn while_the_store_is_away_a_call_is_unavailable() {
    let mut server = RedisServer::start();
    let router = Router::new()
        .fallback(any(async || ()))
        .layer(RateLimitLayer::<Denied>::new())
        .layer(Extension(impatient_limiter_on(&server).await));
    let app = App::start(router).await;
    server.kill();
    let unavailable = "grpc-status:14\r\ngrpc-message:Rate limit unavailable\r\n";
    for (content_type, body) in [
        ("application/grpc-web", frame(unavailable)),
        (
            "application/grpc-web-text",
            BASE64_STANDARD.encode(frame(unavailable)).into(),
        ),
    ] {
        let request = app.post("/").header("content-type", content_type);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.bytes().await.expect("a body"), body);
    }
    let request = Request::post(app.at("/")).header(CONTENT_TYPE, "application/grpc");
    let request = request.body(Body::empty()).expect("a request");
    let response = http2().request(request).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let status = response.headers().get("grpc-status");
    assert_eq!(status.expect("a status"), "14");
}
