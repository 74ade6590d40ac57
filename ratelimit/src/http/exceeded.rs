//! The answer to a request over the limit.

use std::{fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::json;

use super::headers::{self, whole_seconds};
use crate::{
    algorithm::Decision,
    limiter::{Account, RateLimitStatus},
    policy::{Policy, Tier},
};

/// A request over the limit, as a response: 429 with a problem document ([RFC 9457]).
///
/// Beside the members of a problem it has `"error": "Rate limit exceeded"` and the figures of the
/// headers; its type and `violated-policies` are those that the [draft of the rate-limit headers]
/// registers. It must not be cached, and says so ([RFC 6585]).
///
/// ```json
/// {
///   "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
///   "title": "Too Many Requests",
///   "status": 429,
///   "detail": "60 requests are allowed per minute on the tier free. Try again in 12 seconds.",
///   "error": "Rate limit exceeded",
///   "violated-policies": ["my_app::search"],
///   "tier": "free",
///   "limit": 60,
///   "remaining": 0,
///   "retry_after": 12,
///   "reset": 60
/// }
/// ```
///
/// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
/// [RFC 6585]: https://www.rfc-editor.org/rfc/rfc6585#section-4
/// [draft of the rate-limit headers]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
#[derive(Clone, Debug)]
pub struct RateLimitExceeded {
    status: RateLimitStatus,
    account: Account,
}

impl RateLimitExceeded {
    /// The answer to a request that this was decided about.
    pub(super) fn new(status: RateLimitStatus) -> Self {
        let account = status.account();
        Self { status, account }
    }

    fn decision(&self) -> Option<Decision> {
        self.account.decision
    }

    /// The policy whose limit it is; of several, the one that takes longest to admit the request.
    pub fn policy(&self) -> &'static Policy {
        self.account.policy
    }

    /// The names of all policies whose limits the request is over.
    pub fn violated_policies(&self) -> Vec<&'static str> {
        let accounts = self.status.accounts();
        let denying = accounts.iter().filter(|account| account.denies());
        denying.map(|account| account.policy.name()).collect()
    }

    /// The caller's tier.
    pub fn tier(&self) -> &'static Tier {
        self.account.tier
    }

    /// Requests per window.
    pub fn limit(&self) -> u32 {
        self.tier().quota().map_or(0, |quota| quota.limit())
    }

    /// How many requests of cost 1 would be admitted: more than 0 only where this one costs more.
    pub fn remaining(&self) -> u32 {
        self.decision().map_or(0, |decision| decision.remaining)
    }

    /// How long until this same request would be admitted; `None` if it never will be, because it
    /// costs more than the quota can hold.
    pub fn retry_after(&self) -> Option<Duration> {
        self.decision()?.retry_after
    }

    /// How long until the whole quota is available again.
    pub fn reset(&self) -> Duration {
        self.decision()
            .map_or(Duration::ZERO, |decision| decision.reset_after)
    }

    /// The quota's window in words: `minute`, `15 minutes`.
    fn window(&self) -> String {
        const UNITS: [(u64, &str); 4] = [
            (86_400, "day"),
            (3_600, "hour"),
            (60, "minute"),
            (1, "second"),
        ];
        let per = self
            .tier()
            .quota()
            .map_or(Duration::ZERO, |quota| quota.per());
        let is_whole = |(seconds, _): &&(u64, &str)| {
            per.subsec_nanos() == 0 && per.as_secs().is_multiple_of(*seconds)
        };
        match UNITS.iter().find(is_whole) {
            Some((seconds, unit)) if per.as_secs() == *seconds => (*unit).to_owned(),
            Some((seconds, unit)) => format!("{} {unit}s", per.as_secs() / seconds),
            None => format!("{per:?}"),
        }
    }
}

impl fmt::Display for RateLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = if self.limit() == 1 {
            "1 request is"
        } else {
            &format!("{} requests are", self.limit())
        };
        write!(f, "{requests} allowed per {}", self.window())?;
        // Where everybody has the same limit there is no tier to speak of.
        if self.policy().tiers().len() > 1 {
            write!(f, " on the tier {}", self.tier().name())?;
        }
        match self.retry_after().map(whole_seconds) {
            Some(1) => f.write_str(". Try again in 1 second."),
            Some(seconds) => write!(f, ". Try again in {seconds} seconds."),
            None => f.write_str(". This request costs more than that."),
        }
    }
}

impl std::error::Error for RateLimitExceeded {}

impl IntoResponse for RateLimitExceeded {
    fn into_response(self) -> Response {
        let problem = json!({
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Too Many Requests",
            "status": StatusCode::TOO_MANY_REQUESTS.as_u16(),
            "detail": self.to_string(),
            "error": "Rate limit exceeded",
            "violated-policies": self.violated_policies(),
            "tier": self.tier().name(),
            "limit": self.limit(),
            "remaining": self.remaining(),
            "retry_after": self.retry_after().map(whole_seconds),
            "reset": whole_seconds(self.reset()),
        });
        let mut response = problem_response(StatusCode::TOO_MANY_REQUESTS, &problem);
        headers::write(&self.status, response.headers_mut());
        response
    }
}

/// A problem document as a response that is not to be cached.
pub(super) fn problem_response(status: StatusCode, problem: &serde_json::Value) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/problem+json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, problem.to_string()).into_response()
}
