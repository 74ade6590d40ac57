//! What was decided about a request, with the policy and the tier that it was decided by.

use std::time::Duration;

use crate::{
    algorithm::Decision,
    policy::{Policy, Tier},
};

/// What was decided about a request.
///
/// It is an extractor, too: a handler under `#[rate_limit]` that takes one sees its caller's tier
/// and what is left of the quota.
///
/// ```
/// use ratelimit::{RateLimitStatus, rate_limit};
///
/// #[rate_limit(limit = 60)]
/// async fn quota(status: RateLimitStatus) -> String {
///     match status.remaining() {
///         Some(left) => format!("{left} requests left"),
///         None => "no limit".to_owned(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(quota));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimitStatus {
    policy: &'static Policy,
    tier: &'static Tier,
    decision: Option<Decision>,
}

impl RateLimitStatus {
    /// `decision` is `None` where the tier is not limited.
    pub(crate) fn new(
        policy: &'static Policy,
        tier: &'static Tier,
        decision: Option<Decision>,
    ) -> Self {
        Self {
            policy,
            tier,
            decision,
        }
    }

    /// The policy that decided.
    pub fn policy(&self) -> &'static Policy {
        self.policy
    }

    /// The caller's tier.
    pub fn tier(&self) -> &'static Tier {
        self.tier
    }

    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.decision.is_none_or(|decision| decision.allowed)
    }

    /// Requests per window; `None` without a limit.
    pub fn limit(&self) -> Option<u32> {
        self.tier.quota().map(|quota| quota.limit())
    }

    /// How many requests of cost 1 would be admitted right after this one; `None` without a limit.
    pub fn remaining(&self) -> Option<u32> {
        self.decision.map(|decision| decision.remaining)
    }

    /// How long until this same request would be admitted. `None` for one that was, and for one
    /// that never will be because it costs more than the quota can hold.
    pub fn retry_after(&self) -> Option<Duration> {
        self.decision?.retry_after
    }

    /// How long until the whole quota is available again; `None` without a limit.
    pub fn reset_after(&self) -> Option<Duration> {
        self.decision.map(|decision| decision.reset_after)
    }
}
