//! Limits in memory, which are not used up, for each address.

use std::{error::Error, num::NonZeroU64, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use axum_gcra::{RateLimitLayer, gcra, real_ip::RealIp};
use axum_governor::{extractor::PeerIp, nz};
use ratelimit::{RateLimiter, StaticTiers, rate_limit};
use tower_governor::governor::GovernorConfigBuilder;

use super::bare;

type Made = Result<Router, Box<dyn Error>>;

pub(super) fn unlimited() -> Router {
    Router::new().route("/", get(bare))
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 1_000_000_000,
    pro = 2_000_000_000,
    per = "1h",
    algo = "token_bucket"
)]
async fn limited() -> &'static str {
    "Hello, world!"
}

pub(super) fn ratelimit() -> Made {
    RateLimiter::builder()
        .tiers(StaticTiers::new([("k-alice", "pro")]))
        .build()?
        .install()?;
    Ok(Router::new().route("/", get(limited)))
}

pub(super) fn tower_governor() -> Made {
    let config = GovernorConfigBuilder::default()
        .per_nanosecond(1)
        .burst_size(1_000_000_000)
        .use_headers()
        .finish()
        .ok_or("tower_governor does not take these settings")?;
    Ok(unlimited().layer(tower_governor::GovernorLayer::new(Arc::new(config))))
}

pub(super) fn axum_governor() -> Made {
    let config = axum_governor::GovernorConfigBuilder::default()
        .with_extractor(PeerIp::default())
        .expect_connect_info()
        .quota_default(axum_governor::Quota::requests_per_hour(nz!(
            1_000_000_000_u32
        )))
        .finish()?;
    Ok(unlimited().layer(axum_governor::GovernorLayer::new(config)))
}

pub(super) fn axum_gcra() -> axum_07::Router {
    let burst = NonZeroU64::MIN.saturating_add(999_999_999);
    let quota = gcra::Quota::new(Duration::from_nanos(3_600), burst);
    let layer = RateLimitLayer::<RealIp>::builder()
        .with_default_quota(quota)
        .default_handle_error();
    axum_07::Router::new()
        .route("/", axum_07::routing::get(bare))
        .route_layer(layer)
}
