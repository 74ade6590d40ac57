//! The response to a request that does not come to its handler.

use axum::response::{IntoResponse, Response};

/// The rejection of [`RateLimited<P, T>`](crate::RateLimited): the answer to a request that is turned
/// away, or `T`'s own rejection with the rate-limit headers.
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
}

impl IntoResponse for RateLimitedRejection {
    fn into_response(self) -> Response {
        *self.response
    }
}
