//! The answer to a request over the limit.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

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
    status: Arc<RateLimitStatus>,
    account: Account,
}

impl RateLimitExceeded {
    /// The answer to a request that this was decided about.
    pub(super) fn new(status: Arc<RateLimitStatus>) -> Self {
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
    fn write_window(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            Some((seconds, unit)) if per.as_secs() == *seconds => f.write_str(unit),
            Some((seconds, unit)) => write!(f, "{} {unit}s", per.as_secs() / seconds),
            None => write!(f, "{per:?}"),
        }
    }
}

impl fmt::Display for RateLimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit() {
            1 => f.write_str("1 request is")?,
            limit => write!(f, "{limit} requests are")?,
        }
        f.write_str(" allowed per ")?;
        self.write_window(f)?;
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
        let problem = Problem {
            kind: "https://iana.org/assignments/http-problem-types#quota-exceeded",
            title: "Too Many Requests",
            status: StatusCode::TOO_MANY_REQUESTS.as_u16(),
            detail: self.to_string(),
            error: "Rate limit exceeded",
            violated_policies: self.violated_policies(),
            tier: self.tier().name(),
            limit: self.limit(),
            remaining: self.remaining(),
            retry_after: self.retry_after().map(whole_seconds),
            reset: whole_seconds(self.reset()),
        };
        let mut response = problem_response(StatusCode::TOO_MANY_REQUESTS, &problem);
        headers::write(&self.status, response.headers_mut());
        response
    }
}

/// The document, as it is written: a flood of them is no reason to make a map of each.
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    error: &'static str,
    #[serde(rename = "violated-policies")]
    violated_policies: Vec<&'static str>,
    tier: &'static str,
    limit: u32,
    remaining: u32,
    retry_after: Option<u64>,
    reset: u64,
}

/// A problem document as a response that is not to be cached.
pub(super) fn problem_response(status: StatusCode, problem: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(512);
    // Of names, numbers and texts JSON can always be made.
    let _ = serde_json::to_writer(&mut body, problem);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    // For these, and for those that say what was decided.
    headers.reserve(8);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
