//! The answer while the store cannot be asked, where nobody is to be admitted then.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::json;

use super::exceeded::problem_response;

/// The store of the limits cannot be asked, and the policy admits nobody then: 503 with
/// `Retry-After` and a problem document ([RFC 9457]) of the type `temporary-reduced-capacity`.
///
/// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requests cannot be counted at the moment")]
pub struct StoreUnavailable;

/// Seconds: in one the store has been probed twice.
const RETRY: HeaderValue = HeaderValue::from_static("1");

impl IntoResponse for StoreUnavailable {
    fn into_response(self) -> Response {
        let problem = json!({
            "type": "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
            "title": "Service Unavailable",
            "status": StatusCode::SERVICE_UNAVAILABLE.as_u16(),
            "detail": "Requests cannot be counted at the moment. Try again in a second.",
            "error": "Rate limit unavailable",
        });
        let mut response = problem_response(StatusCode::SERVICE_UNAVAILABLE, &problem);
        response.headers_mut().insert(RETRY_AFTER, RETRY);
        response
    }
}
