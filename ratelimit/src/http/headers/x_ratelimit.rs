//! `X-RateLimit-*`: no standard has them, and most APIs do. They are numbers, the reset in seconds
//! from now.

use http::{HeaderMap, HeaderName};

use super::{number, whole_seconds};
use crate::{algorithm::Decision, policy::Quota};

pub(super) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(super) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(super) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

pub(super) fn write(quota: &Quota, decision: &Decision, headers: &mut HeaderMap) {
    headers.insert(LIMIT, number(quota.limit().into()));
    headers.insert(REMAINING, number(decision.remaining.into()));
    headers.insert(RESET, number(whole_seconds(decision.reset_after)));
}
