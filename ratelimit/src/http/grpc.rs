//! What a gRPC client understands: a status in the headers of an answer without a body.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// [Status codes](https://grpc.github.io/grpc/core/md_doc_statuscodes.html) of gRPC.
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

/// Whether the request is one of gRPC.
pub(super) fn is_grpc(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// An answer of ours in the form that is called "Trailers-Only" in the [protocol]. It keeps its headers
/// and extensions, by which layers around this one see what was decided.
///
/// [protocol]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
pub(super) fn answer(turned_away: Response) -> Response {
    let (status, message) = match turned_away.status() {
        StatusCode::TOO_MANY_REQUESTS => (RESOURCE_EXHAUSTED, "Rate limit exceeded"),
        StatusCode::SERVICE_UNAVAILABLE => (UNAVAILABLE, "Rate limit unavailable"),
        // An identity's own rejection.
        _ => return turned_away,
    };
    let (parts, _) = turned_away.into_parts();
    let mut answer = Body::empty().into_response();
    *answer.extensions_mut() = parts.extensions;
    let headers = answer.headers_mut();
    headers.extend(parts.headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, status);
    headers.insert(MESSAGE, HeaderValue::from_static(message));
    answer
}
