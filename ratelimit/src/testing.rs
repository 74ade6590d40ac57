//! For the tests of an application: a limiter whose clock the test moves, and what to check of
//! answers.
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::{Router, routing::get};
//! use ratelimit::{rate_limit, testing::{TestLimiter, assert_limited, assert_remaining}};
//!
//! #[rate_limit(limit = 2, per = "1m")]
//! async fn search() -> &'static str {
//!     "found"
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let limiter = TestLimiter::new();
//! let app = Router::new().route("/search", get(search)).layer(limiter.layer());
//!
//! for left in [1, 0] {
//!     let response = limiter.get(&app, "/search").await;
//!     assert_eq!(response.status(), 200);
//!     assert_remaining(&response, left);
//! }
//! let response = limiter.get(&app, "/search").await;
//! assert_limited(&response, Duration::from_secs(60));
//!
//! limiter.advance(Duration::from_secs(60)); // the next minute, without waiting for it
//! assert_eq!(limiter.get(&app, "/search").await.status(), 200);
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{net::SocketAddr, time::Duration};

use axum::{
    Extension, Router, body::Body, extract::connect_info::MockConnectInfo, response::Response,
};
use http::{Method, Request};
use tower_service::Service;

use crate::{
    client::StaticTiers,
    clock::ManualClock,
    http::want,
    limiter::{Builder, RateLimitStatus, RateLimiter},
    store::MemoryStore,
};

/// A limiter in memory, whose clock stands still until the test moves it.
///
/// Other than with a limiter of the [`Builder`], two limited handlers of the program may have one name,
/// as when two tests each declare an `async fn handler` of their own. A `TestLimiter` that both of them
/// ask panics at the first request to the second, since they would share their buckets: give one of
/// them another `name = "…"`.
///
/// It also needs no [`hosts`](Builder::hosts) if a policy has the key `host`: without them such a policy
/// is keyed by the client's address. `TestLimiter::with(|builder| builder.hosts(["shop.example.com"]))`
/// believes that host.
#[derive(Clone, Debug)]
pub struct TestLimiter {
    limiter: RateLimiter,
    clock: ManualClock,
}

impl TestLimiter {
    /// A limiter that knows no API keys.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// A limiter that knows these API keys and their tiers.
    pub fn with_tiers(tiers: StaticTiers) -> Self {
        Self::with(|builder| builder.tiers(tiers))
    }

    /// A limiter with settings of the application's own. The store is set already.
    ///
    /// # Panics
    ///
    /// The limiter cannot be built.
    pub fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new().with_clock(clock.clone());
        let builder = settings(RateLimiter::builder().store(store)).for_tests();
        match builder.build() {
            Ok(limiter) => Self { limiter, clock },
            Err(error) => panic!("{error}"),
        }
    }

    /// The limiter.
    pub fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }

    /// Makes it the limiter of a router: `Router::new().…layer(limiter.layer())`.
    pub fn layer(&self) -> Extension<RateLimiter> {
        Extension(self.limiter.clone())
    }

    /// Lets so much time pass, at once.
    pub fn advance(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The answer to a GET request from 127.0.0.1, without a server.
    ///
    /// # Panics
    ///
    /// The path is none.
    pub async fn get(&self, app: &Router, path: &str) -> Response {
        send(app, get(path)).await
    }

    /// The answer to a request from 127.0.0.1, without a server.
    pub async fn send(&self, app: &Router, request: Request<Body>) -> Response {
        send(app, request).await
    }
}

impl Default for TestLimiter {
    fn default() -> Self {
        Self::new()
    }
}

fn get(path: &str) -> Request<Body> {
    match Request::get(path).body(Body::empty()) {
        Ok(request) => request,
        Err(error) => panic!("{path}: {error}"),
    }
}

async fn send(app: &Router, mut request: Request<Body>) -> Response {
    let peer = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut app = app.clone().layer(MockConnectInfo(peer));
    want(request.extensions_mut());
    match app.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The answer comes from a limited handler, which has so many requests left for this caller.
///
/// # Panics
///
/// It does not, or has more or fewer.
#[track_caller]
pub fn assert_remaining(response: &Response, remaining: u32) {
    let status = status(response);
    assert_eq!(
        status.remaining(),
        Some(remaining),
        "requests that are left, of {:?}",
        status.limit()
    );
}

/// The answer says that the caller is over its limit, and may come back after this time.
///
/// # Panics
///
/// It does not, or names another time.
#[track_caller]
pub fn assert_limited(response: &Response, retry_after: Duration) {
    let status = status(response);
    assert!(
        !status.is_allowed(),
        "the request was admitted, with {:?} left",
        status.remaining()
    );
    assert_eq!(
        status.retry_after(),
        Some(retry_after),
        "the time after which the request may come back"
    );
}

/// All of these routes are limited: to be called with every route that must be, so that none is
/// forgotten.
///
/// ```
/// # use axum::{Router, http::Method, routing::{get, post}};
/// # use ratelimit::{rate_limit, testing::assert_all_limited};
/// # #[rate_limit(limit = 60)] async fn search() {}
/// # #[rate_limit(limit = 5)] async fn login() {}
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let app = Router::new().route("/search", get(search)).route("/login", post(login));
/// assert_all_limited(&app, [(Method::GET, "/search"), (Method::POST, "/login")]).await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// One of them is not, or there is none.
pub async fn assert_all_limited(app: &Router, routes: impl IntoIterator<Item = (Method, &str)>) {
    let mut unlimited = Vec::new();
    for (method, path) in routes {
        let mut request = get(path);
        *request.method_mut() = method.clone();
        let response = send(app, request).await;
        if response.extensions().get::<RateLimitStatus>().is_none() {
            unlimited.push(format!("{method} {path} ({})", response.status()));
        }
    }
    assert!(
        unlimited.is_empty(),
        "these routes have no rate limit: {}",
        unlimited.join(", ")
    );
}

#[track_caller]
fn status(response: &Response) -> &RateLimitStatus {
    let status = response.extensions().get::<RateLimitStatus>();
    let Some(status) = status else {
        panic!(
            "no limit was asked about this request, which was answered with {}",
            response.status()
        );
    };
    status
}
