//! How an app tests its limits, without a server and without waiting:
//! `cargo test --example testing_your_app`, and `cargo run --example testing_your_app` for the app.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{
    Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use ratelimit::{RateLimiter, StaticTiers, rate_limit};

#[rate_limit(tier_header = "X-API-Key", free = 2, pro = 20, per = "1m")]
async fn double(Path(n): Path<u32>) -> Result<String, StatusCode> {
    let doubled = n.checked_mul(2).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(doubled.to_string())
}

#[rate_limit(limit = 3, per = "1h", algo = "fixed_window")]
async fn order() -> &'static str {
    "ordered\n"
}

/// The routes, without a limiter: the program installs one, and each test brings its own.
fn app() -> Router {
    Router::new()
        .route("/double/{n}", get(double))
        .route("/orders", post(order))
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder()
        .tiers(StaticTiers::new([("demo-pro", "pro")]))
        .build()?
        .install()?;

    ratelimit_examples::announce(&listener, "in memory", TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows its clients' addresses.
        app().into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r"
  cargo test --example testing_your_app                           # what this example is about
  for i in 1 2 3; do curl -i '{url}/double/21'; done              # the third is a 429
  curl -i '{url}/double/21' -H 'X-API-Key: demo-pro'              # pro: 20 a minute
  for i in 1 2 3 4; do curl -i -X POST '{url}/orders'; done       # the fourth is a 429
";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{
        body::{Body, to_bytes},
        http::{Method, Request},
    };
    use ratelimit::{
        RateLimited,
        testing::{TestLimiter, assert_all_limited, assert_limited, assert_remaining},
    };

    use super::*;

    #[tokio::test]
    async fn a_minute_later_there_are_two_again() {
        let limiter = TestLimiter::new();
        let app = app().layer(limiter.layer());

        for left in [1, 0] {
            let response = limiter.get(&app, "/double/21").await;
            assert_eq!(response.status(), 200);
            assert_remaining(&response, left);
        }
        let response = limiter.get(&app, "/double/21").await;
        assert_eq!(response.status(), 429);
        assert_limited(&response, Duration::from_secs(60));

        limiter.advance(Duration::from_secs(60));
        assert_remaining(&limiter.get(&app, "/double/21").await, 1);
    }

    #[tokio::test]
    async fn a_key_has_the_limit_of_its_tier() {
        let limiter = TestLimiter::with_tiers(StaticTiers::new([("k-pro", "pro")]));
        let app = app().layer(limiter.layer());

        for (key, left) in [("k-pro", 19), ("nobody's", 1)] {
            let request = Request::get("/double/21").header("X-API-Key", key);
            let request = request.body(Body::empty()).expect("a request");
            assert_remaining(&limiter.send(&app, request).await, left);
        }
    }

    #[tokio::test]
    async fn no_route_is_without_a_limit() {
        let routes = [(Method::GET, "/double/21"), (Method::POST, "/orders")];
        assert_all_limited(&app(), routes).await;
    }

    /// A handler's own code, with no router and no limit.
    #[tokio::test]
    async fn what_cannot_be_doubled_is_an_error() {
        let response = double(RateLimited::granted(Path(21))).await;
        let body = to_bytes(response.into_body(), usize::MAX).await;
        assert_eq!(body.expect("a body"), "42");

        let response = double(RateLimited::granted(Path(u32::MAX))).await;
        assert_eq!(response.status(), 400);
    }
}
