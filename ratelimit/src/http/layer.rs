//! The same limits for a whole router, or for any HTTP service of tower's.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{
    Method, Request,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
    request::Parts,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    PolicySource,
    check::{decide, finish_around},
    decisions::want,
    exempt_path,
    grpc::{self, Grpc},
    limit::register,
    source::Source,
    unread_body,
};
use crate::limiter::RateLimiter;

/// Limits all requests to a router or to any HTTP service, by a policy that
/// [`policy!`](crate::policy) declares.
///
/// A request to a handler with a limit of its own is checked under both, first by the layer, and the
/// headers describe the tighter limit. A request that the handler's limit rejects does not count: the
/// layer gives its cost back, if the layers in between keep the response's extensions. (A handler with
/// several attributes checks them all in one step.) If layer and handler have the same policy and the
/// same limiter, they charge a request once.
///
/// Clients of [gRPC] and [gRPC-Web] get the status `RESOURCE_EXHAUSTED` in place of a 429, and
/// `UNAVAILABLE` in place of a 503. Of a rejected request's body up to 256 KiB are read in the
/// background, so that the client sees the rejection: see [`DrainBodyLayer`](crate::DrainBodyLayer).
/// CORS preflights are exempt: see [`limit_preflights`](Self::limit_preflights).
///
/// [gRPC]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
/// [gRPC-Web]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
///
/// ```
/// use axum::{Router, routing::get};
/// use ratelimit::RateLimitLayer;
///
/// ratelimit::policy! { pub Everything: limit = 1000, per = "1m" }
///
/// let app: Router = Router::new()
///     .route("/", get(async || "hello"))
///     .route("/health", get(async || "ok"))
///     .layer(RateLimitLayer::<Everything>::new().exempt_paths(["/health", "/static/*"]));
/// ```
///
/// A limiter of the router's own goes around it: `.layer(RateLimitLayer…).layer(Extension(limiter))`,
/// or is given to it with [`limiter`](Self::limiter).
pub struct RateLimitLayer<P> {
    settings: Settings,
    policy: PhantomData<fn() -> P>,
}

#[derive(Clone)]
struct Settings {
    exempt: Arc<[String]>,
    limits_preflights: bool,
    limiter: Option<RateLimiter>,
}

impl<P: PolicySource> RateLimitLayer<P> {
    /// Makes a layer that limits every request but CORS preflights: see
    /// [`limit_preflights`](Self::limit_preflights). The policies of `P` are listed in
    /// [`policies`](crate::policies) from now on.
    #[track_caller]
    pub fn new() -> Self {
        register::<P>();
        Self {
            settings: Settings {
                exempt: Arc::default(),
                limits_preflights: false,
                limiter: None,
            },
            policy: PhantomData,
        }
    }
}

impl<P> RateLimitLayer<P> {
    /// Exempts requests for these paths: for exactly this path, or, with `/*` at its end, for each
    /// path that begins with it.
    ///
    /// Paths are relative to the router that the layer is put on, as its routes are. A layer within a
    /// router that is nested at `/api` exempts `/health`; one around both exempts `/api/health`.
    ///
    /// A request's path is compared as it is sent, with upper and lower case, and without its query. A
    /// service inside, or a proxy behind it, may read another path from it than this layer does. So a
    /// path is never exempt if it has
    ///
    /// - a segment of dots, such as `.` and `..`, also before a `;`, with spaces, or percent-encoded,
    /// - an empty segment other than the last, as in `/static//etc`,
    /// - a backslash, or an encoded slash, backslash, percent sign or control character,
    /// - a percent sign without two digits, or bytes that are not UTF-8,
    /// - a character that is invisible, or that compatibility normalization turns into one of these,
    ///   such as `．`.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # use ratelimit::RateLimitLayer;
    /// # ratelimit::policy! { Everything: limit = 1000 }
    /// let api: Router = Router::new()
    ///     .route("/health", get(async || "ok"))
    ///     .layer(RateLimitLayer::<Everything>::new().exempt_paths(["/health"]));
    /// let app: Router = Router::new().nest("/api", api);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if one of these paths can never be exempt: if it does not begin with `/`, is one of the
    /// above, or has a query. Also panics if it has a route's parameter such as `{id}`, or a `*` other
    /// than in `/*` at its end.
    #[must_use]
    #[track_caller]
    pub fn exempt_paths(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.exempt = paths.into_iter().map(Into::into).collect();
        for path in &*self.settings.exempt {
            assert!(
                exempt_path::is_pattern(path),
                "invalid exempt path {path:?}\n\
                 help: write it as clients send it, as in \"/health\" or \"/static/*\": it begins with \
                 `/`, and has no segments `.` and `..`, no `//`, no encoded separators, no query, no \
                 parameters such as `{{id}}`, and no `*` but in `/*` at its end"
            );
        }
        self
    }

    /// Limits CORS preflights as well.
    ///
    /// By default they are exempt: a browser sends one by itself before a request to another origin, and
    /// cannot send that request if the preflight is rejected. A preflight is an `OPTIONS` request with
    /// the headers `Origin` and `Access-Control-Request-Method`, and without a body ([Fetch]).
    ///
    /// Any client can send these, so that nothing limits what answers them. That is little if a
    /// `CorsLayer` does, inside or outside of this layer. It matters if a route has an `OPTIONS` handler
    /// of its own, which `#[rate_limit]` limits as any other handler.
    ///
    /// A `CorsLayer` goes outside of this one, so that a page of another origin can read a 429:
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use ratelimit::RateLimitLayer;
    /// use tower_http::cors::CorsLayer;
    ///
    /// ratelimit::policy! { Everything: limit = 1000, per = "1m" }
    ///
    /// let app: Router = Router::new()
    ///     .route("/", get(async || "hello"))
    ///     .layer(RateLimitLayer::<Everything>::new())
    ///     // The last layer is the outermost.
    ///     .layer(CorsLayer::permissive().expose_headers(ratelimit::RATE_LIMIT_HEADERS));
    /// ```
    ///
    /// [Fetch]: https://fetch.spec.whatwg.org/#cors-preflight-request
    #[must_use]
    pub fn limit_preflights(mut self) -> Self {
        self.settings.limits_preflights = true;
        self
    }

    /// Sets the limiter of this layer, in place of the program's or the router's. The handlers inside
    /// keep theirs.
    #[must_use]
    pub fn limiter(mut self, limiter: RateLimiter) -> Self {
        self.settings.limiter = Some(limiter);
        self
    }
}

impl Settings {
    fn exempts(&self, parts: &Parts, body: &impl HttpBody) -> bool {
        // Within a nested router this is without the prefix. The full path is not looked at as well:
        // a router nested at `/static` would exempt all of its routes by `/static/*`.
        let path = parts.uri.path();
        let is_exempt = |exempt: &String| match exempt.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == exempt,
        };
        (self.exempt.iter().any(is_exempt) && exempt_path::is_unambiguous(path))
            || (!self.limits_preflights && is_preflight(parts) && body.is_end_stream())
    }
}

/// Returns whether a browser asks by this request if it may send another one.
fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl<S, P> Layer<S> for RateLimitLayer<P> {
    type Service = RateLimit<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit {
            inner,
            settings: self.settings.clone(),
            policy: PhantomData,
        }
    }
}

/// The service of [`RateLimitLayer`].
pub struct RateLimit<S, P> {
    inner: S,
    settings: Settings,
    policy: PhantomData<fn() -> P>,
}

impl<S, P, B, R> Service<Request<B>> for RateLimit<S, P>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    P: PolicySource,
    P::Identity: FromRequestParts<()>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready goes with the request, its clone stays.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let settings = self.settings.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if settings.exempts(&parts, &body) {
                let response = inner.call(Request::from_parts(parts, body)).await?;
                return Ok(response.map(Body::new));
            }
            let own = settings.limiter.as_ref();
            match decide(&mut parts, &(), Source::of::<P>, own).await {
                Ok(status) => {
                    want(&mut parts.extensions);
                    let response = inner.call(Request::from_parts(parts, body)).await?;
                    let mut response = response.map(Body::new);
                    finish_around(P::limits(), &status, &mut response).await;
                    Ok(response)
                }
                Err(mut rejection) => {
                    unread_body::leave(&parts, body, rejection.headers_mut());
                    let response = rejection.into_response();
                    Ok(match Grpc::of(&parts) {
                        Some(form) => grpc::reject(form, response),
                        None => response,
                    })
                }
            }
        })
    }
}

impl<P> Clone for RateLimitLayer<P> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            policy: PhantomData,
        }
    }
}

impl<S: Clone, P> Clone for RateLimit<S, P> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            settings: self.settings.clone(),
            policy: PhantomData,
        }
    }
}

impl<P: PolicySource> Default for RateLimitLayer<P> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for RateLimitLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("exempt", &self.settings.exempt)
            .field("limits_preflights", &self.settings.limits_preflights)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, P> fmt::Debug for RateLimit<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("inner", &self.inner)
            .field("exempt", &self.settings.exempt)
            .field("limits_preflights", &self.settings.limits_preflights)
            .finish_non_exhaustive()
    }
}
