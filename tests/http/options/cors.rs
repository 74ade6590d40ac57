//! A layer and requests from pages of other origins.

use axum::{
    Extension, Router,
    http::Method,
    routing::{get as route, options},
};
use ratelimit::{RATE_LIMIT_HEADERS, RateLimitLayer, RateLimiter, policy, rate_limit};
use ratelimit_tests::{App, header};
use reqwest::Response;
use tower_http::cors::{Any, CorsLayer};

policy! { Pages: limit = 2, per = "1h" }

fn layer() -> RateLimitLayer<Pages> {
    RateLimitLayer::new()
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .expose_headers(RATE_LIMIT_HEADERS)
}

fn with_limiter(router: Router) -> Router {
    router.layer(Extension(RateLimiter::default()))
}

async fn send(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = app.client().request(method, app.at(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

const ORIGIN: (&str, &str) = ("origin", "https://example.com");
const ASKED: (&str, &str) = ("access-control-request-method", "GET");

async fn preflight(app: &App, path: &str) -> Response {
    send(app, Method::OPTIONS, path, &[ORIGIN, ASKED]).await
}

fn allowed_origin(response: &Response) -> Option<&str> {
    header(response, "access-control-allow-origin")
}

#[tokio::test]
async fn preflights_are_exempt_in_both_orders_and_outside_cors_is_on_the_rejection_as_well() {
    for is_cors_outside in [true, false] {
        let router = Router::new().route("/", route(async || "page"));
        let router = if is_cors_outside {
            router.layer(layer()).layer(cors())
        } else {
            router.layer(cors()).layer(layer())
        };
        let app = App::start(with_limiter(router)).await;
        for n in 1..=4 {
            for _ in 0..5 {
                let response = preflight(&app, "/").await;
                assert_eq!(response.status(), 200);
                assert_eq!(allowed_origin(&response), Some("*"));
                assert_eq!(header(&response, "x-ratelimit-limit"), None);
            }
            let response = send(&app, Method::GET, "/", &[ORIGIN]).await;
            assert_eq!(response.status(), if n <= 2 { 200 } else { 429 });
            let is_readable = n <= 2 || is_cors_outside;
            assert_eq!(allowed_origin(&response), is_readable.then_some("*"));
            let exposed = header(&response, "access-control-expose-headers");
            let is_exposed = exposed.is_some_and(|exposed| exposed.contains("retry-after"));
            assert_eq!(is_exposed, is_readable);
        }
    }
}

#[tokio::test]
async fn nothing_else_that_looks_like_a_preflight_is_exempt() {
    for (method, headers) in [
        (Method::OPTIONS, &[][..]),
        (Method::OPTIONS, &[ORIGIN]),
        (Method::OPTIONS, &[ASKED]),
        (Method::GET, &[ORIGIN, ASKED]),
        (Method::POST, &[ORIGIN, ASKED]),
        (
            Method::GET,
            &[ORIGIN, ASKED, ("x-http-method-override", "OPTIONS")],
        ),
    ] {
        let router = Router::new().fallback(async || "found").layer(layer());
        let app = App::start(with_limiter(router)).await;
        for n in 1..=3 {
            let response = send(&app, method.clone(), "/", headers).await;
            let expected = if n <= 2 { 200 } else { 429 };
            assert_eq!(response.status(), expected, "{method} {headers:?}");
        }
    }
    // A preflight has no body.
    let router = Router::new().fallback(async || "found").layer(layer());
    let app = App::start(with_limiter(router)).await;
    for expected in [200, 200, 429] {
        let request = app.client().request(Method::OPTIONS, app.at("/"));
        let request = request.header(ORIGIN.0, ORIGIN.1).header(ASKED.0, ASKED.1);
        let response = request.body("data").send().await.expect("an answer");
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn a_layer_can_limit_preflights() {
    let router = Router::new()
        .route("/", route(async || "page"))
        .layer(cors())
        .layer(layer().limit_preflights());
    let app = App::start(with_limiter(router)).await;
    for expected in [200, 200, 429] {
        assert_eq!(preflight(&app, "/").await.status(), expected);
    }
}

#[rate_limit(limit = 2, per = "1h", name = "own_options")]
async fn own_options() {}

#[tokio::test]
async fn the_attribute_limits_an_options_handler_as_any_other() {
    let router = Router::new()
        .route("/", options(own_options))
        .layer(layer());
    let app = App::start(with_limiter(router)).await;
    for expected in [200, 200, 429, 429] {
        assert_eq!(preflight(&app, "/").await.status(), expected);
    }
}
