//! `RateLimitLayer`: a whole router, or any HTTP service.

use axum::{
    Extension, Router,
    body::Body,
    http::{Request, Response},
    routing::{get as route, post},
};
use ratelimit::{RateLimitLayer, RateLimitStatus, RateLimiter, policy, rate_limit};
use ratelimit_tests::{App, header};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::{get, left};
use crate::limiters;

policy! { Everything: limit = 4, per = "1m" }

async fn plain(status: Option<RateLimitStatus>) -> String {
    format!("{:?}", status.and_then(|status| status.remaining()))
}

#[rate_limit(limit = 2, name = "stricter")]
async fn stricter() {}

#[rate_limit(limit = 1_000, name = "looser")]
async fn looser() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/", route(plain))
        .route("/stricter", route(stricter))
        .route("/looser", route(looser))
        .route("/grpc", post(plain))
        .route("/health", route(plain))
        .route("/static/{file}", route(plain))
        .layer(RateLimitLayer::<Everything>::new().exempt_paths(["/api/health", "/api/static/*"]))
        .layer(Extension(limiter))
}

async fn start(limiter: RateLimiter) -> App {
    App::start(Router::new().nest("/api", router(limiter))).await
}

#[tokio::test]
async fn a_whole_router_shares_a_limit_but_for_exempt_paths() {
    for (limiter, _) in limiters("layer").await {
        let app = start(limiter).await;
        let response = app.get("/api").send().await.expect("an answer");
        assert_eq!(header(&response, "x-ratelimit-limit"), Some("4"));
        assert_eq!(response.text().await.expect("text"), "Some(3)");
        for n in ["2", "1", "0"] {
            assert_eq!(get(&app, "/api").await, left(200, n));
        }
        assert_eq!(get(&app, "/api").await, left(429, "0"));
        for path in ["/api/health", "/api/static/logo.png"] {
            assert_eq!(get(&app, path).await, (200, None), "{path}");
        }
    }
}

#[tokio::test]
async fn a_handlers_own_limit_counts_as_well_and_the_tighter_is_told() {
    for (limiter, _) in limiters("layer_and_attribute").await {
        let app = start(limiter).await;
        assert_eq!(get(&app, "/api/stricter").await, left(200, "1"));
        assert_eq!(get(&app, "/api/looser").await, left(200, "2"));
        assert_eq!(get(&app, "/api/stricter").await, left(200, "0"));
        assert_eq!(get(&app, "/api/stricter").await, left(429, "0"));
        assert_eq!(get(&app, "/api/looser").await, left(429, "0"));
    }
}

#[tokio::test]
async fn a_grpc_client_gets_a_status_it_understands() {
    for (limiter, _) in limiters("grpc").await {
        let app = start(limiter).await;
        for n in 0..6 {
            let request = app
                .post("/api/grpc")
                .header("content-type", "application/grpc+proto");
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200);
            let exhausted = (
                header(&response, "grpc-status"),
                header(&response, "retry-after"),
            );
            assert_eq!(
                exhausted,
                if n < 4 {
                    (None, None)
                } else {
                    (Some("8"), Some("60"))
                }
            );
            if n >= 4 {
                assert_eq!(header(&response, "content-type"), Some("application/grpc"));
                assert_eq!(response.text().await.expect("text"), "");
            }
        }
    }
}

#[tokio::test]
async fn any_http_service_of_towers_can_have_one() {
    for (limiter, _) in limiters("tower").await {
        let service = ServiceBuilder::new()
            .layer(RateLimitLayer::<Everything>::new().limiter(limiter))
            .service(service_fn(async |_: Request<Body>| {
                Ok::<_, std::io::Error>(Response::new(String::from("hello")))
            }));
        for n in 0..6 {
            let response = service.clone().oneshot(Request::new(Body::empty())).await;
            let response = response.expect("an answer");
            assert_eq!(response.status(), if n < 4 { 200 } else { 429 });
        }
    }
}
