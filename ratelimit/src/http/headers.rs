//! The rate-limit headers of a response.
//!
//! `X-RateLimit-*` have no standard; they are here as most APIs send them: numbers, and the reset as
//! seconds from now. `Retry-After` is [RFC 9110, section 10.2.3], in seconds.
//!
//! [RFC 9110, section 10.2.3]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, RETRY_AFTER},
};

use crate::limiter::RateLimitStatus;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Says in a response's headers what was decided; nothing for a tier without a limit.
pub(super) fn write(status: &RateLimitStatus, headers: &mut HeaderMap) {
    let (Some(limit), Some(remaining), Some(reset)) =
        (status.limit(), status.remaining(), status.reset_after())
    else {
        return;
    };
    headers.insert(LIMIT, limit.into());
    headers.insert(REMAINING, remaining.into());
    headers.insert(RESET, whole_seconds(reset).into());
    if !status.is_allowed() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = status.retry_after() {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
    }
}

/// Rounded up: a client that comes back then must not be too early.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (time, seconds) in [
            (Duration::ZERO, 0),
            (Duration::from_micros(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::from_micros(1_000_001), 2),
            (Duration::from_secs(59), 59),
        ] {
            assert_eq!(whole_seconds(time), seconds, "{time:?}");
        }
    }
}
