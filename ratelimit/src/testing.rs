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

use std::{fmt, net::SocketAddr, time::Duration};

use axum::{
    Extension, Router, body::Body, extract::connect_info::MockConnectInfo, response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use tower_service::Service;

use crate::{
    client::StaticTiers,
    clock::ManualClock,
    http::{IdentityRejected, Rejected, want},
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

/// Asserts that all of these routes are limited. Call it with every route that must be, so that none is
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
/// A limit behind a layer that authenticates is checked only with credentials: see [`AllLimited`].
///
/// A [`RateLimitLayer`](crate::RateLimitLayer) on a router also limits what none of its routes match, so
/// that a path with a typing error counts as limited there.
///
/// # Panics
///
/// Panics if a route is not limited, and names it: also if it does not exist, unless a layer limits it.
pub async fn assert_all_limited(app: &Router, routes: impl IntoIterator<Item = (Method, &str)>) {
    AllLimited::of(app).assert(routes).await;
}

/// [`assert_all_limited`] with requests of the test's own making, as with credentials.
///
/// A layer that answers 401 or redirects to a login does so before the limit of the route inside is
/// checked, so that nothing is known of that limit. An [`identity`](crate::Identity) that rejects the
/// request is a part of the limit: such a route needs no credentials.
///
/// ```
/// use axum::{
///     Router, extract::Request, http::{Method, StatusCode}, middleware::{Next, from_fn},
///     response::{IntoResponse, Response}, routing::get,
/// };
/// use ratelimit::{rate_limit, testing::AllLimited};
///
/// #[rate_limit(limit = 60)]
/// async fn me() {}
///
/// async fn authenticate(request: Request, next: Next) -> Response {
///     match request.headers().get("Authorization") {
///         Some(token) if token == "Bearer test" => next.run(request).await,
///         _ => StatusCode::UNAUTHORIZED.into_response(),
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let app = Router::new().route("/me", get(me)).layer(from_fn(authenticate));
/// AllLimited::of(&app)
///     .header("Authorization", "Bearer test")
///     .assert([(Method::GET, "/me")])
///     .await;
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it checks nothing until assert() is called"]
pub struct AllLimited<'a> {
    app: &'a Router,
    headers: HeaderMap,
    prepare: Option<Prepare<'a>>,
}

/// Makes the request that is sent out of one without a body.
type Prepare<'a> = Box<dyn Fn(Request<Body>) -> Request<Body> + Send + Sync + 'a>;

impl<'a> AllLimited<'a> {
    /// Checks the routes of this app, with requests that have neither headers nor bodies.
    pub fn of(app: &'a Router) -> Self {
        Self {
            app,
            headers: HeaderMap::new(),
            prepare: None,
        }
    }

    /// Adds a header to each request.
    ///
    /// # Panics
    ///
    /// Panics if no header can have this name or this value.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(name) = HeaderName::try_from(name) else {
            panic!("no header has the name {name:?}");
        };
        let Ok(value) = HeaderValue::try_from(value) else {
            panic!("no header has the value {value:?}");
        };
        self.headers.append(name, value);
        self
    }

    /// Changes each request before it is sent, after its headers were added: to sign it, to give it a
    /// body, or to put into its extensions what a server would.
    pub fn prepare(
        mut self,
        prepare: impl Fn(Request<Body>) -> Request<Body> + Send + Sync + 'a,
    ) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Asserts that all of these routes are limited.
    ///
    /// # Panics
    ///
    /// Panics if a route is not limited or answers before any limit is checked, and names it: also if
    /// it does not exist, unless a layer limits it.
    pub async fn assert(self, routes: impl IntoIterator<Item = (Method, &str)>) {
        let (mut unlimited, mut unchecked) = (Vec::new(), Vec::new());
        for (method, path) in routes {
            let mut request = get(path);
            *request.method_mut() = method.clone();
            request.headers_mut().extend(self.headers.clone());
            if let Some(prepare) = &self.prepare {
                request = prepare(request);
            }
            let response = send(self.app, request).await;
            let extensions = response.extensions();
            // A rejection has no status if the store is unavailable.
            let is_limited = extensions.get::<RateLimitStatus>().is_some()
                || extensions.get::<Rejected>().is_some()
                || extensions.get::<IdentityRejected>().is_some();
            if !is_limited {
                let status = response.status();
                let routes = if is_of_authentication(status) {
                    &mut unchecked
                } else {
                    &mut unlimited
                };
                routes.push(format!("{method} {path} ({status})"));
            }
        }
        let mut problems = Vec::new();
        if !unlimited.is_empty() {
            problems.push(format!(
                "these routes have no rate limit: {}",
                unlimited.join(", ")
            ));
        }
        if !unchecked.is_empty() {
            problems.push(format!(
                "these routes answered before any limit was checked: {}; send credentials with \
                 AllLimited::of(&app).header(\"Authorization\", \"…\").assert(routes)",
                unchecked.join(", ")
            ));
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}

impl fmt::Debug for AllLimited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the headers: they may hold credentials.
        f.debug_struct("AllLimited").finish_non_exhaustive()
    }
}

/// Returns whether it is the answer of what asks who is calling, or sends the caller to a login.
fn is_of_authentication(status: StatusCode) -> bool {
    status.is_redirection()
        || [
            StatusCode::UNAUTHORIZED,
            StatusCode::FORBIDDEN,
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
        ]
        .contains(&status)
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
