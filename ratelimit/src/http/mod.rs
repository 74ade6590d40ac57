//! axum's side: the extractor and the layer that decide, and what goes out.

mod check;
mod decisions;
mod exceeded;
mod exempt_path;
mod extract;
mod grpc;
mod headers;
mod layer;
mod limit;
mod rejection;
mod source;
mod unavailable;
mod unread_body;

#[cfg(feature = "dashboard")]
pub(crate) use self::headers::whole_seconds;
pub(crate) use self::{
    check::{IdentityRejected, Rejected},
    decisions::want,
};
pub use self::{
    exceeded::RateLimitExceeded,
    extract::{NotLimited, RateLimited, Responder},
    headers::RATE_LIMIT_HEADERS,
    layer::{RateLimit, RateLimitLayer},
    limit::{Limit, NoIdentity, PolicySource},
    rejection::RateLimitedRejection,
    unavailable::StoreUnavailable,
    unread_body::{DrainBody, DrainBodyLayer},
};
