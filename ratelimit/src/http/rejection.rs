//! The response to a request that does not come to its handler.

use axum::response::{IntoResponse, Response};
use http::{Extensions, HeaderMap};

/// The rejection of [`RateLimited<P, T>`](crate::RateLimited): the answer to a request that is turned
/// away, or `T`'s own rejection with the rate-limit headers.
///
/// A handler that takes the `Result` of both sees the answer before its client does:
///
/// ```
/// use axum::{
///     extract::Path,
///     response::{IntoResponse, Response},
/// };
/// use ratelimit::{RateLimited, RateLimitedRejection};
///
/// ratelimit::policy! { Double: limit = 60 }
///
/// async fn double(n: Result<RateLimited<Double, Path<u32>>, RateLimitedRejection>) -> Response {
///     let (responder, Path(n)) = match n {
///         Ok(n) => n.into_parts(),
///         Err(rejection) => {
///             let response = rejection.into_response();
///             println!("answered with {}", response.status());
///             return response;
///         }
///     };
///     responder.respond((2 * n).to_string()).await
/// }
/// # let _: axum::Router = axum::Router::new().route("/{n}", axum::routing::get(double));
/// ```
#[derive(Debug)]
pub struct RateLimitedRejection {
    /// In a box: what is extracted in its place is small, and moved from hand to hand.
    response: Box<Response>,
}

impl RateLimitedRejection {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response: Box::new(response),
        }
    }

    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        self.response.headers_mut()
    }

    pub(super) fn extensions_mut(&mut self) -> &mut Extensions {
        self.response.extensions_mut()
    }
}

impl IntoResponse for RateLimitedRejection {
    fn into_response(self) -> Response {
        *self.response
    }
}
