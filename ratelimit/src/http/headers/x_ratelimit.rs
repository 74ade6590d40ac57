//! `X-RateLimit-*`: no standard has them, and most APIs do. They are numbers, the reset in seconds
//! from now.

use http::{HeaderMap, HeaderName};

use super::{
    number::{number, of_digits},
    whole_seconds,
};
use crate::{algorithm::Decision, policy::Tier};

pub(super) const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
pub(super) const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
pub(super) const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

pub(super) fn write(tier: &'static Tier, decision: &Decision, headers: &mut HeaderMap) {
    let limit = tier.quota().map_or(0, |quota| quota.limit());
    headers.insert(LIMIT, of_digits(tier.limit_digits(), limit.into()));
    headers.insert(REMAINING, number(decision.remaining.into()));
    headers.insert(RESET, number(whole_seconds(decision.reset_after)));
}
