//! The extractor that decides before any other extractor runs.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use once_cell::sync::Lazy;

use super::{
    PolicySource, RateLimitedRejection,
    check::{decide, finish, finish_rejection},
    decisions::decided,
    source::{Source, SourceOf},
    unread_body,
};
use crate::{
    limiter::{RateLimitStatus, RateLimiter},
    log_throttle::LogThrottle,
};

/// An extractor that limits: whichever argument of a handler is extracted first decides about the
/// request, and only if it is allowed is `T` extracted.
///
/// A request that is over the limit is answered with
/// [`RateLimitExceeded`](crate::RateLimitExceeded), and one that `T` rejects with `T`'s own
/// rejection and the rate-limit headers. `#[rate_limit]` turns each argument `T` of a handler into a
/// `RateLimited<P, T>`. By hand it looks like this:
///
/// ```
/// use axum::{extract::Query, response::Response};
/// use ratelimit::RateLimited;
///
/// ratelimit::policy! { Search: limit = 60 }
///
/// async fn search(query: RateLimited<Search, Query<Vec<(String, String)>>>) -> Response {
///     let (responder, Query(query)) = query.into_parts();
///     responder.respond(format!("looking for {query:?}")).await
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(search));
/// ```
pub struct RateLimited<P, T> {
    responder: Responder<P>,
    inner: T,
}

/// Turns a handler's answer into a response with the rate-limit headers.
pub struct Responder<P> {
    status: Arc<RateLimitStatus>,
    policy: PhantomData<fn() -> P>,
}

impl<P, T> RateLimited<P, T> {
    fn new(status: Arc<RateLimitStatus>, inner: T) -> Self {
        Self {
            responder: Responder {
                status,
                policy: PhantomData,
            },
            inner,
        }
    }

    /// What makes the response, and what was extracted.
    pub fn into_parts(self) -> (Responder<P>, T) {
        (self.responder, self.inner)
    }

    /// What was extracted.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// What was decided.
    pub fn status(&self) -> &RateLimitStatus {
        &self.responder.status
    }
}

/// The limiter of requests that no limiter is asked about. One for all, as it is no small thing to make.
static UNASKED: Lazy<RateLimiter> = Lazy::new(RateLimiter::default);

impl<P: PolicySource, T> RateLimited<P, T> {
    /// An argument as it would be had the request been admitted without a limit: to call a limited
    /// handler directly, as in a test of its own code.
    ///
    /// ```
    /// use axum::extract::Path;
    /// use ratelimit::{RateLimited, rate_limit};
    ///
    /// #[rate_limit(limit = 5)]
    /// async fn double(Path(n): Path<u32>) -> String {
    ///     (2 * n).to_string()
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let response = double(RateLimited::granted(Path(21))).await;
    /// assert_eq!(response.status(), 200);
    /// # });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// `P` has no limits.
    pub fn granted(inner: T) -> Self {
        let policy = P::limits()[0].policy();
        let status = RateLimitStatus::granted(UNASKED.clone(), policy);
        Self::new(Arc::new(status), inner)
    }
}

impl<P: PolicySource> Responder<P> {
    /// A handler's answer as a response with the rate-limit headers. What the limit's `refund_if`
    /// says is given back.
    pub fn respond(&self, answer: impl IntoResponse) -> impl Future<Output = Response> + Send {
        let mut response = answer.into_response();
        async move {
            finish(P::limits(), &self.status, &mut response).await;
            response
        }
    }
}

impl<P> Responder<P> {
    /// What was decided.
    pub fn status(&self) -> &RateLimitStatus {
        &self.status
    }
}

impl<P> fmt::Debug for Responder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Responder").field(&self.status).finish()
    }
}

impl<P, T: fmt::Debug> fmt::Debug for RateLimited<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimited")
            .field("status", &self.responder.status)
            .field("inner", &self.inner)
            .finish()
    }
}

#[diagnostic::do_not_recommend]
impl<S, P, T> FromRequestParts<S> for RateLimited<P, T>
where
    S: Send + Sync,
    P: PolicySource,
    P::Identity: FromRequestParts<S>,
    T: FromRequestParts<S>,
{
    type Rejection = RateLimitedRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, RateLimitedRejection> {
        let (status, inner) = from_parts(parts, state, Source::of::<P>).await?;
        Ok(Self::new(status, inner))
    }
}

// Not generic over axum's marker, as the impl for parts covers the other case.
#[diagnostic::do_not_recommend]
impl<S, P, T> FromRequest<S> for RateLimited<P, T>
where
    S: Send + Sync,
    P: PolicySource,
    P::Identity: FromRequestParts<S>,
    T: FromRequest<S>,
{
    type Rejection = RateLimitedRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, RateLimitedRejection> {
        let (status, inner) = from_request(request, state, Source::of::<P>).await?;
        Ok(Self::new(status, inner))
    }
}

// These know nothing of `P`, so that the compiler makes them once for a type of argument and not for
// each handler that has one.

async fn from_parts<S, T>(
    parts: &mut Parts,
    state: &S,
    of: SourceOf<S>,
) -> Result<(Arc<RateLimitStatus>, T), RateLimitedRejection>
where
    S: Send + Sync,
    T: FromRequestParts<S>,
{
    let status = match decide(parts, state, of, None).await {
        Ok(status) => status,
        Err(mut rejection) => {
            unread_body::announce_close(parts, rejection.headers_mut());
            return Err(rejection);
        }
    };
    let rejection = match T::from_request_parts(parts, state).await {
        Ok(inner) => return Ok((status, inner)),
        Err(rejection) => rejection.into_response(),
    };
    Err(finish_rejection(of().limits(), &status, rejection).await)
}

async fn from_request<S, T>(
    request: Request,
    state: &S,
    of: SourceOf<S>,
) -> Result<(Arc<RateLimitStatus>, T), RateLimitedRejection>
where
    S: Send + Sync,
    T: FromRequest<S>,
{
    let (mut parts, body) = request.into_parts();
    let status = match decide(&mut parts, state, of, None).await {
        Ok(status) => status,
        Err(mut rejection) => {
            unread_body::leave(&parts, body, rejection.headers_mut());
            return Err(rejection);
        }
    };
    let request = Request::from_parts(parts, body);
    let rejection = match T::from_request(request, state).await {
        Ok(inner) => return Ok((status, inner)),
        Err(rejection) => rejection.into_response(),
    };
    Err(finish_rejection(of().limits(), &status, rejection).await)
}

/// A handler asked for its [`RateLimitStatus`], but nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this handler has no rate limit, so there is no RateLimitStatus: annotate it with #[rate_limit(…)], or take an Option<RateLimitStatus>"
)]
pub struct NotLimited;

/// Throttles what every request to such a handler would log.
static NOT_LIMITED: Lazy<LogThrottle> = Lazy::new(LogThrottle::default);

impl IntoResponse for NotLimited {
    fn into_response(self) -> Response {
        // For who wrote the handler, not for who called it.
        NOT_LIMITED.log(|left_out| tracing::error!(left_out, "{self}"));
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RateLimitStatus {
    type Rejection = NotLimited;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotLimited> {
        decided(parts).cloned().ok_or(NotLimited)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for RateLimitStatus {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(decided(parts).cloned())
    }
}
