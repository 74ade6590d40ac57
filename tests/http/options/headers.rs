//! The styles of the headers, and browsers across origins.

use axum::{Extension, Router, http::Method, routing::get as route};
use ratelimit::{HeaderStyle, RATE_LIMIT_HEADERS, RateLimitLayer, RateLimiter, policy, rate_limit};
use ratelimit_tests::{App, header};
use tower_http::cors::{Any, CorsLayer};

use crate::{limiters, limiters_with};

#[rate_limit(tier_header = "X-API-Key", free = 2, pro = 10, internal = unlimited, name = "main")]
#[rate_limit(limit = 50, per = "1500ms", name = "brief")]
#[rate_limit(limit = 1, shadow, name = "hidden")]
async fn limited() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/", route(limited))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn the_limiter_says_which_headers_there_are() {
    let x = [Some("2"), Some("1"), Some("60")];
    let ietf = [
        Some(r#""main";q=2;w=60, "brief";q=50"#),
        Some(r#""main";r=1;t=60"#),
    ];
    for (style, x, ietf) in [
        (HeaderStyle::XRateLimit, x, [None; 2]),
        (HeaderStyle::Ietf, [None; 3], ietf),
        (HeaderStyle::Both, x, ietf),
        (HeaderStyle::None, [None; 3], [None; 2]),
    ] {
        for (limiter, _) in limiters_with(&format!("{style:?}"), |b| b.headers(style)).await {
            let app = App::start(router(limiter)).await;
            let response = app.get("/").send().await.expect("an answer");
            let names = [
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            ];
            assert_eq!(names.map(|name| header(&response, name)), x, "{style:?}");
            let names = ["ratelimit-policy", "ratelimit"];
            assert_eq!(names.map(|name| header(&response, name)), ietf, "{style:?}");
            assert_eq!(app.status("/").await, 200);

            let denied = app.get("/").send().await.expect("an answer");
            assert_eq!(denied.status(), 429);
            assert_eq!(header(&denied, "retry-after"), Some("60"), "{style:?}");
            let limit = ietf[1].map(|_| r#""main";r=0;t=60"#);
            assert_eq!(header(&denied, "ratelimit"), limit, "{style:?}");

            let request = app.get("/").header("x-api-key", "k-internal");
            let unlimited = request.send().await.expect("an answer");
            let policy = ietf[0].map(|_| r#""brief";q=50"#);
            assert_eq!(header(&unlimited, "ratelimit-policy"), policy, "{style:?}");
        }
    }
}

#[rate_limit(limit = 100, name = "requests")]
#[rate_limit(limit = 1_000, cost = 50, name = "units")]
async fn of_two_costs() {}

#[rate_limit(limit = 1_000, cost = 50, refund_if = |_| true, name = "units given back")]
#[rate_limit(limit = 100, name = "requests kept")]
async fn given_back() {}

policy! { Requests: limit = 15, name = "requests of a layer" }

policy! { Units: limit = 1_000, cost = 50, name = "units of a layer" }

#[rate_limit(limit = 800, cost = 50, name = "units of a handler")]
async fn under_a_layer() {}

#[rate_limit(limit = 20, name = "requests of a handler")]
async fn under_a_layer_of_units() {}

/// The headers describe the limit that allows the fewest more requests like this one, whatever its units.
#[tokio::test]
async fn the_limit_that_allows_the_fewest_more_requests_is_described() {
    for (limiter, _) in limiters("tightest").await {
        let requests = Router::new()
            .route("/layer", route(under_a_layer))
            .layer(RateLimitLayer::<Requests>::new());
        let units = Router::new()
            .route("/units", route(under_a_layer_of_units))
            .layer(RateLimitLayer::<Units>::new());
        let router = Router::new()
            .route("/", route(of_two_costs))
            .route("/given_back", route(given_back))
            .merge(requests)
            .merge(units)
            .layer(Extension(limiter));
        let app = App::start(router).await;
        let described = async |path: &str| {
            let response = app.get(path).send().await.expect("an answer");
            let number = |name| {
                let number = header(&response, name).map(str::parse::<u32>);
                number.expect("a header").expect("a number")
            };
            (number("x-ratelimit-limit"), number("x-ratelimit-remaining"))
        };
        // 19 more cost 950, and 99 are left of the others.
        assert_eq!(described("/").await, (1_000, 950));
        assert_eq!(described("/").await, (1_000, 900));
        // Given back, 20 more fit in: still fewer than 99.
        assert_eq!(described("/given_back").await, (1_000, 1_000));
        // 15 of 800 by 50 in the handler, 14 of 15 in the layer.
        assert_eq!(described("/layer").await, (15, 14));
        assert_eq!(described("/layer").await, (15, 13));
        // 19 more in each: then the handler's, of which less is left.
        assert_eq!(described("/units").await, (20, 19));
        assert_eq!(described("/units").await, (20, 18));
        for _ in 0..18 {
            assert_eq!(app.status("/").await, 200);
        }
        assert_eq!(described("/").await, (1_000, 0), "the 429 as well");
    }
}

#[tokio::test]
async fn a_browser_may_read_them_where_they_are_exposed() {
    for (limiter, _) in limiters("cors").await {
        let cors = CorsLayer::new()
            .allow_origin(Any)
            .allow_methods([Method::GET])
            .expose_headers(RATE_LIMIT_HEADERS);
        let app = App::start(router(limiter).layer(cors)).await;
        for _ in 0..3 {
            let request = app.get("/").header("origin", "https://example.com");
            let response = request.send().await.expect("an answer");
            let exposed = header(&response, "access-control-expose-headers").unwrap_or_default();
            let exposed: Vec<&str> = exposed.split(',').collect();
            for name in response.headers().keys() {
                let is_ours = name.as_str().contains("ratelimit") || name == "retry-after";
                assert!(
                    !is_ours || exposed.contains(&name.as_str()),
                    "{name} is not in {exposed:?}"
                );
            }
        }
    }
}
