//! Limits in memory, which are not used up, for each address. The numbers in headers have four digits,
//! as those of real limits may, and what is protected takes an argument, as nearly all handlers do.

use std::{error::Error, num::NonZeroU64, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, HeaderValue},
    response::IntoResponse,
    routing::get,
};
use axum_gcra::{RateLimitLayer, gcra, real_ip::RealIp};
use axum_governor::{extractor::PeerIp, nz};
use ratelimit::{RateLimiter, StaticTiers, rate_limit};
use tower_governor::governor::GovernorConfigBuilder;

type Made = Result<Router, Box<dyn Error>>;

const GREETING: &str = "Hello, world!";

async fn bare(State(greeting): State<&'static str>) -> &'static str {
    greeting
}

pub(super) fn unlimited() -> Router {
    Router::new().route("/", get(bare)).with_state(GREETING)
}

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        HeaderName::from_static("x-ratelimit-limit"),
        HeaderValue::from_static("6000"),
    ),
    (
        HeaderName::from_static("x-ratelimit-remaining"),
        HeaderValue::from_static("5999"),
    ),
    (
        HeaderName::from_static("x-ratelimit-reset"),
        HeaderValue::from_static("1"),
    ),
];

/// What the headers alone cost: axum and hyper have as much to do for these as for ours.
async fn three_constants(State(greeting): State<&'static str>) -> impl IntoResponse {
    (HEADERS, greeting)
}

pub(super) fn three_headers() -> Router {
    let handler = get(three_constants);
    Router::new().route("/", handler).with_state(GREETING)
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 6_000,
    pro = 9_000,
    per = "10ms",
    algo = "token_bucket"
)]
async fn limited(State(greeting): State<&'static str>) -> &'static str {
    greeting
}

pub(super) fn ratelimit() -> Made {
    RateLimiter::builder()
        .tiers(StaticTiers::new([("k-alice", "pro")]))
        .build()?
        .install()?;
    Ok(Router::new().route("/", get(limited)).with_state(GREETING))
}

pub(super) fn tower_governor() -> Made {
    let config = GovernorConfigBuilder::default()
        .per_nanosecond(1_666)
        .burst_size(6_000)
        .use_headers()
        .finish()
        .ok_or("tower_governor does not take these settings")?;
    Ok(unlimited().layer(tower_governor::GovernorLayer::new(Arc::new(config))))
}

pub(super) fn axum_governor() -> Made {
    let config = axum_governor::GovernorConfigBuilder::default()
        .with_extractor(PeerIp::default())
        .expect_connect_info()
        .quota_default(
            axum_governor::Quota::requests_per_second(nz!(600_000_u32)).burst(nz!(6_000_u32)),
        )
        .finish()?;
    Ok(unlimited().layer(axum_governor::GovernorLayer::new(config)))
}

async fn old_bare(
    axum_07::extract::State(greeting): axum_07::extract::State<&'static str>,
) -> &'static str {
    greeting
}

pub(super) fn axum_gcra() -> axum_07::Router {
    let burst = NonZeroU64::MIN.saturating_add(999_999_999);
    let quota = gcra::Quota::new(Duration::from_nanos(3_600), burst);
    let layer = RateLimitLayer::<RealIp>::builder()
        .with_default_quota(quota)
        .default_handle_error();
    axum_07::Router::new()
        .route("/", axum_07::routing::get(old_bare))
        .route_layer(layer)
        .with_state(GREETING)
}
