//! The extractor that decides before any other extractor runs.

use std::{
    convert::Infallible,
    fmt,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{
        ConnectInfo, FromRequest, FromRequestParts, OptionalFromRequestParts, Request,
        connect_info::MockConnectInfo,
    },
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use super::{RateLimitExceeded, headers};
use crate::{
    limiter::{Caller, RateLimitStatus, RateLimiter},
    policy::Policy,
};

/// Which policy a [`RateLimited`] extractor goes by; `#[rate_limit]` writes one for each handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no rate-limit policy",
    note = "implement `ratelimit::PolicySource` for it, or let `#[rate_limit(…)]` do so"
)]
pub trait PolicySource: Send + Sync + 'static {
    /// The policy, the same one at each call.
    fn policy() -> &'static Policy;
}

/// An extractor that limits: whichever argument of a handler is extracted first decides about the
/// request, and only if it is allowed is `T` extracted.
///
/// A request that is over the limit is answered with [`RateLimitExceeded`], and one that `T`
/// rejects with `T`'s own rejection and the rate-limit headers. `#[rate_limit]` turns each argument
/// `T` of a handler into a `RateLimited<P, T>`. By hand it looks like this:
///
/// ```
/// use axum::{extract::Query, response::Response};
/// use ratelimit::{Algorithm, Policy, PolicySource, Quota, RateLimited, Tier};
///
/// struct Search;
///
/// impl PolicySource for Search {
///     fn policy() -> &'static Policy {
///         static POLICY: Policy = Policy::new(
///             "search",
///             Algorithm::SlidingWindow,
///             &[Tier::new("default", Quota::per_minute(60))],
///         );
///         &POLICY
///     }
/// }
///
/// async fn search(query: RateLimited<Search, Query<Vec<(String, String)>>>) -> Response {
///     let (status, Query(query)) = query.into_parts();
///     status.respond(format!("looking for {query:?}"))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(search));
/// ```
pub struct RateLimited<P, T> {
    status: RateLimitStatus,
    inner: T,
    policy: PhantomData<fn() -> P>,
}

impl<P, T> RateLimited<P, T> {
    fn new(status: RateLimitStatus, inner: T) -> Self {
        Self {
            status,
            inner,
            policy: PhantomData,
        }
    }

    /// What was decided, and what was extracted.
    pub fn into_parts(self) -> (RateLimitStatus, T) {
        (self.status, self.inner)
    }

    /// What was extracted.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// What was decided.
    pub fn status(&self) -> RateLimitStatus {
        self.status
    }
}

impl<P, T: fmt::Debug> fmt::Debug for RateLimited<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimited")
            .field("status", &self.status)
            .field("inner", &self.inner)
            .finish()
    }
}

#[diagnostic::do_not_recommend]
impl<S, P, T> FromRequestParts<S> for RateLimited<P, T>
where
    S: Send + Sync,
    P: PolicySource,
    T: FromRequestParts<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let status = decide::<P>(parts).await?;
        match T::from_request_parts(parts, state).await {
            Ok(inner) => Ok(Self::new(status, inner)),
            Err(rejection) => Err(status.respond(rejection)),
        }
    }
}

// Not generic over axum's marker, as the impl for parts covers the other case.
#[diagnostic::do_not_recommend]
impl<S, P, T> FromRequest<S> for RateLimited<P, T>
where
    S: Send + Sync,
    P: PolicySource,
    T: FromRequest<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let status = decide::<P>(&mut parts).await?;
        let request = Request::from_parts(parts, body);
        match T::from_request(request, state).await {
            Ok(inner) => Ok(Self::new(status, inner)),
            Err(rejection) => Err(status.respond(rejection)),
        }
    }
}

/// The decision about this request under `P`: taken by the first argument that is extracted, and
/// found in the request by those after it.
async fn decide<P: PolicySource>(parts: &mut Parts) -> Result<RateLimitStatus, Response> {
    let policy = P::policy();
    if let Some(status) = parts.extensions.get::<RateLimitStatus>()
        && std::ptr::eq(status.policy(), policy)
    {
        return Ok(*status);
    }
    let caller = Caller {
        peer: peer(parts),
        headers: &parts.headers,
    };
    let status = match parts.extensions.get::<RateLimiter>() {
        Some(limiter) => limiter.check(policy, caller).await,
        None => RateLimiter::global().check(policy, caller).await,
    };
    if let Some(exceeded) = RateLimitExceeded::new(status) {
        return Err(exceeded.into_response());
    }
    parts.extensions.insert(status);
    Ok(status)
}

/// The address at the other end of the connection, where the app is served with it.
fn peer(parts: &Parts) -> Option<IpAddr> {
    let real = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = match real {
        Some(ConnectInfo(address)) => address,
        // How axum has it in tests without a socket.
        None => &parts.extensions.get::<MockConnectInfo<SocketAddr>>()?.0,
    };
    Some(address.ip())
}

impl RateLimitStatus {
    /// A handler's answer with the rate-limit headers on it.
    pub fn respond(&self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        headers::write(self, response.headers_mut());
        response
    }
}

/// A handler asked for its [`RateLimitStatus`], but nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this handler has no rate limit, so there is no RateLimitStatus: annotate it with #[rate_limit(…)], or take an Option<RateLimitStatus>"
)]
pub struct NotLimited;

impl IntoResponse for NotLimited {
    fn into_response(self) -> Response {
        // For who wrote the handler, not for who called it.
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RateLimitStatus {
    type Rejection = NotLimited;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotLimited> {
        parts.extensions.get().copied().ok_or(NotLimited)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RateLimitStatus {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().copied())
    }
}
