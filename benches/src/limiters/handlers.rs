//! Handlers in process: all of a request but the socket and HTTP itself.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
    routing::get,
};
use futures_util::FutureExt;
use ratelimit::{RateLimiter, rate_limit};
use tower::ServiceExt;
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};

use super::{Limiter, PER};

/// It admits everyone.
pub fn bare_handler() -> Limiter {
    handler("the bare handler", Router::new().route("/", get(bare)))
}

/// Each client has one request.
pub fn annotated_handler() -> Limiter {
    let router = Router::new()
        .route("/", get(limited))
        .layer(Extension(RateLimiter::default()));
    handler("#[rate_limit], memory, all headers", router)
}

/// Each client has one request.
///
/// # Panics
///
/// `tower_governor` does not take these settings.
pub fn governed_handler() -> Limiter {
    let config = GovernorConfigBuilder::default()
        .period(PER)
        .burst_size(NonZeroU32::MIN.get())
        .use_headers()
        .finish()
        .expect("a period and a burst");
    let router = Router::new()
        .route("/", get(bare))
        .layer(GovernorLayer::new(Arc::new(config)));
    handler("tower_governor, with its headers", router)
}

async fn bare() -> &'static str {
    "Hello, world!"
}

#[rate_limit(limit = 1, per = "365d", algo = "token_bucket")]
async fn limited() -> &'static str {
    "Hello, world!"
}

fn handler(name: &str, router: Router) -> Limiter {
    Limiter::new(name, move |n| {
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::from((Ipv4Addr::from(n), 0));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request).now_or_never();
        // Anything but 429 in a flood would be another measurement.
        answer.is_some_and(|Ok(answer)| answer.status() != StatusCode::TOO_MANY_REQUESTS)
    })
}
