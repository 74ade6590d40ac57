//! The headers that tell a client where it stands.
//!
//! `Retry-After` is [RFC 9110, section 10.2.3], in seconds. A 429 must not be stored by a cache
//! ([RFC 6585, section 4]), and says so.
//!
//! [RFC 9110, section 10.2.3]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
//! [RFC 6585, section 4]: https://www.rfc-editor.org/rfc/rfc6585#section-4

mod ietf;
mod number;
mod x_ratelimit;

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, RETRY_AFTER},
};

use self::number::number;
use crate::limiter::{Accounts, HeaderStyle, RateLimitStatus};

/// All headers that say something of limits: what a browser's code may only read across origins if
/// the server names them in `Access-Control-Expose-Headers`.
///
/// ```
/// use ratelimit::RATE_LIMIT_HEADERS;
///
/// // With tower-http: CorsLayer::new().expose_headers(RATE_LIMIT_HEADERS)
/// assert!(RATE_LIMIT_HEADERS.iter().any(|name| name == "x-ratelimit-remaining"));
/// ```
pub const RATE_LIMIT_HEADERS: [HeaderName; 6] = [
    x_ratelimit::LIMIT,
    x_ratelimit::REMAINING,
    x_ratelimit::RESET,
    ietf::RATE_LIMIT,
    ietf::RATE_LIMIT_POLICY,
    RETRY_AFTER,
];

/// Says in a response's headers what was decided; nothing where there is no limit, or only one that
/// is tried out in shadow mode.
pub(super) fn write(status: &RateLimitStatus, headers: &mut HeaderMap) {
    let style = status.limiter().headers();
    status.read(|accounts| write_accounts(style, accounts, headers));
}

fn write_accounts(style: HeaderStyle, accounts: &Accounts, headers: &mut HeaderMap) {
    let tightest = accounts.tightest();
    let (Some(_), Some(decision)) = (tightest.client, &tightest.decision) else {
        return;
    };
    if tightest.policy.is_shadow() {
        return;
    }
    if matches!(style, HeaderStyle::XRateLimit | HeaderStyle::Both) {
        x_ratelimit::write(tightest.tier, decision, headers);
    }
    if matches!(style, HeaderStyle::Ietf | HeaderStyle::Both) {
        ietf::write(accounts, headers);
    }
    if tightest.denies() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = decision.retry_after {
            headers.insert(RETRY_AFTER, number(whole_seconds(wait)));
        }
    }
}

/// Rounded up: a client that comes back then must not be too early.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
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
