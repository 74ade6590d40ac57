//! The live page for those who are on call, and the JSON beneath it.
//!
//! It shows what [`RateLimiter::figures`], [`history`](RateLimiter::history),
//! [`totals`](RateLimiter::totals) and the like say, and does what
//! [`reset_client`](RateLimiter::reset_client), [`set_tier`](RateLimiter::set_tier) and
//! [`start_bypass`](RateLimiter::start_bypass) do: whoever wants another page can make it of these.

mod access;
mod actions;
mod body;
mod document;
mod events;
mod guesses;
mod hosts;
mod page;

use std::{fmt, sync::Arc};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use self::access::TokenError;
use self::{
    access::Access, body::BODY_MAX, document::Document, events::STREAMS_MAX, guesses::Guesses,
    hosts::AllowedHosts, page::Page,
};
use crate::limiter::RateLimiter;

/// The live page of a limiter, closed until it is said who may see it.
///
/// It shows requests and 429s of each policy over the last five minutes, how long checks take, who
/// is turned away most, what shadow policies would have done, the store's outages, and, with Redis,
/// the figures of all processes. Clients can be looked at and reset there, API keys put on a tier,
/// and the limits bypassed.
///
/// It is a router that the application puts where it likes. (With `nest` in place of `nest_service`,
/// axum does not route `/limits/`, with a slash at its end.)
///
/// ```
/// use std::env;
///
/// use axum::Router;
/// use ratelimit::RateLimiter;
///
/// # fn app() -> Result<Router, Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::default();
/// // Such as `openssl rand -hex 32` makes:
/// let page = ratelimit::dashboard(limiter).token(env::var("DASHBOARD_TOKEN")?)?;
/// let app: Router = Router::new().nest_service("/limits", page.into_router());
/// # Ok(app)
/// # }
/// ```
///
/// # The JSON
///
/// Beneath the place where it is nested. Each request has the header `Authorization: Bearer <token>`.
/// An error is `{"error": "what is wrong"}`: with 401 for a missing or wrong token, and with 429 and
/// `Retry-After` after [too many wrong ones](Dashboard::token).
///
/// The body of an action is a JSON object of at most 16 KiB, of the type `application/json`, with
/// exactly the fields below. If one is missing, misspelt, or has a wrong type, the answer is 422 and
/// nothing is done. A longer body is answered with 413, whatever the application allows.
///
/// | | | |
/// | --- | --- | --- |
/// | GET | `/api/state` | all that the page shows |
/// | GET | `/api/events` | the same as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html): `state`, each second a `tick` with what is new in its history, and after 20 seconds `again`, upon which the client sends the request again. Beyond 64 streams the answer is 503 with `Retry-After` |
/// | POST | `/api/clients/peek` | `{"client": "ip:203.0.113.7"}` or `{"api_key": "…"}`: how the client's buckets stand. A client that was turned away in the last minutes can also be named as the log names it |
/// | POST | `/api/clients/reset` | the same; the client has its whole quotas again |
/// | POST | `/api/tier` | `{"api_key": "…", "tier": "pro"}`; with `"tier": null` the key becomes unknown |
/// | POST | `/api/bypass` | `{"reason": "…", "minutes": 15}`: no client is limited for 1 to 1,440 minutes |
/// | POST | `/api/bypass/off` | `{}` |
///
/// ```sh
/// curl -H "Authorization: Bearer $DASHBOARD_TOKEN" http://127.0.0.1:3000/limits/api/state
/// ```
pub fn dashboard(limiter: RateLimiter) -> Dashboard {
    Dashboard {
        limiter,
        access: Access::Closed,
        hosts: AllowedHosts::default(),
    }
}

/// A page that is being set up; see [`dashboard`].
#[must_use = "it is not served until it is made a router and nested in one"]
pub struct Dashboard {
    limiter: RateLimiter,
    access: Access,
    hosts: AllowedHosts,
}

impl Dashboard {
    /// Opens the page to those who have this token of 32 to 512 bytes.
    ///
    /// An address may send ten wrong tokens, and one more every six seconds; others are answered with
    /// 429. The right token is always accepted, so that an attacker at the same address locks no
    /// operator out. Wrong tokens are logged at most once a second, with the address that one came
    /// from, and counted in [`RateLimiter::wrong_credentials`]. Addresses are those behind
    /// [trusted proxies](crate::Builder::trusted_proxies).
    ///
    /// # Errors
    ///
    /// Returns an error if the token is shorter or longer, or cannot be sent in a header.
    pub fn token(self, token: impl AsRef<str>) -> Result<Self, TokenError> {
        Ok(Self {
            access: Access::token(token.as_ref())?,
            ..self
        })
    }

    /// Opens the page to everyone who reaches it, since the application itself decides who does: with
    /// a layer around it, or by serving it at an address of its own.
    ///
    /// Browsers reach such an address on behalf of other sites' pages, too. So a request is rejected
    /// with 403 if its `Host` is a name other than `localhost` and [`allowed_hosts`], because any name
    /// can be made to resolve to this server ([DNS rebinding]), and an action if its `Origin` is not
    /// the page's own. IP addresses are always allowed.
    ///
    /// ```
    /// # use axum::Router;
    /// # use ratelimit::RateLimiter;
    /// let page = ratelimit::dashboard(RateLimiter::default())
    ///     .access_by_app()
    ///     .allowed_hosts(["limits.example.com"]);
    /// let app: Router = Router::new().nest_service("/limits", page.into_router());
    /// ```
    ///
    /// [`allowed_hosts`]: Self::allowed_hosts
    /// [DNS rebinding]: https://en.wikipedia.org/wiki/DNS_rebinding
    pub fn access_by_app(self) -> Self {
        Self {
            access: Access::ByApp,
            ..self
        }
    }

    /// Sets the names by which browsers reach the page, if [`access_by_app`](Self::access_by_app)
    /// opens it. A port in a name is ignored. With a [`token`](Self::token) any name is allowed.
    pub fn allowed_hosts(self, hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self {
            hosts: AllowedHosts::new(hosts),
            ..self
        }
    }

    /// Returns the router to put into the application's, with
    /// [`nest_service`](Router::nest_service).
    pub fn into_router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let page = Page::new();
        let shared = Arc::new(Shared {
            access: self.access,
            hosts: self.hosts,
            document: Document::new(self.limiter.clone()),
            guesses: Guesses::new(&self.limiter),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            limiter: self.limiter,
        });
        let guard = middleware::from_fn_with_state(shared.clone(), access::guard);
        let api = Router::new()
            .route("/state", get(state))
            .route("/events", get(events::events))
            .route("/clients/peek", post(actions::peek))
            .route("/clients/reset", post(actions::reset))
            .route("/tier", post(actions::set_tier))
            .route("/bypass", post(actions::start_bypass))
            .route("/bypass/off", post(actions::end_bypass))
            .route_layer(DefaultBodyLimit::max(BODY_MAX))
            .route_layer(guard);
        Router::new()
            .route("/", get(async move || page.into_response()))
            .nest("/api", api)
            .layer(middleware::map_response(page::kept_to_itself))
            .with_state(shared)
    }
}

struct Shared {
    limiter: RateLimiter,
    access: Access,
    hosts: AllowedHosts,
    document: Document,
    guesses: Guesses,
    streams: Arc<Semaphore>,
}

async fn state(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.document.since(None).await)
}

/// An error as the page shows it.
struct Problem {
    status: StatusCode,
    text: String,
}

impl Problem {
    fn new(status: StatusCode, text: impl fmt::Display) -> Self {
        Self {
            status,
            text: text.to_string(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.text }))).into_response()
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token.
        f.debug_struct("Dashboard")
            .field("limiter", &self.limiter)
            .finish_non_exhaustive()
    }
}
