//! A policy with what HTTP makes of it, and where an extractor finds them.

use std::{
    any::{TypeId, type_name},
    convert::Infallible,
    panic::Location,
};

use axum::{extract::FromRequestParts, response::Response};
use http::request::Parts;

use super::RateLimitExceeded;
use crate::{
    __private::policies_of,
    client::{Identified, Identity},
    limiter::Builder,
    policy::{Policy, PolicyEntry, registry},
};

/// A policy, and what a limited handler does with its answers.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    policy: Policy,
    refund_if: Option<fn(&Response) -> bool>,
    on_limited: Option<fn(&RateLimitExceeded) -> Response>,
}

impl Limit {
    /// The limit of a policy, with the usual answers.
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            refund_if: None,
            on_limited: None,
        }
    }

    /// Gives a request its cost back if this is true of its answer, be it the handler's or an
    /// extractor's rejection.
    #[must_use]
    pub const fn with_refund_if(self, refund_if: fn(&Response) -> bool) -> Self {
        Self {
            refund_if: Some(refund_if),
            ..self
        }
    }

    /// Answers requests over the limit with this. The headers are added to it.
    #[must_use]
    pub const fn with_on_limited(self, on_limited: fn(&RateLimitExceeded) -> Response) -> Self {
        Self {
            on_limited: Some(on_limited),
            ..self
        }
    }

    /// The policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it depends on a request's answer if it gets its cost back.
    pub(super) fn may_refund(&self) -> bool {
        self.refund_if.is_some()
    }

    /// Whether a request with this answer gets its cost back.
    pub(super) fn is_refunded(&self, response: &Response) -> bool {
        self.refund_if.is_some_and(|refund_if| refund_if(response))
    }

    pub(super) fn on_limited(&self) -> Option<fn(&RateLimitExceeded) -> Response> {
        self.on_limited
    }
}

/// Which limits a handler or a layer goes by; `#[rate_limit]` and [`policy!`](crate::policy!) write
/// it.
///
/// By hand it looks like this, and a policy can be made of what only the running program knows. Give it
/// to [`Builder::policy_source`], or operators find its buckets only after its first request.
///
/// ```
/// use std::{env, sync::LazyLock, time::Duration};
///
/// use ratelimit::{Algorithm, Limit, NoIdentity, Policy, PolicySource, Quota, Tier};
///
/// struct Search;
///
/// static LIMITS: LazyLock<[&Limit; 1]> = LazyLock::new(|| {
///     let a_minute = env::var("SEARCHES_A_MINUTE").ok().and_then(|text| text.parse().ok());
///     let quota = Quota::try_new(a_minute.unwrap_or(60), Duration::from_secs(60));
///     let tier = Tier::new("default", quota.unwrap_or(Quota::per_minute(60)));
///     let policy = Policy::new("search", Algorithm::TokenBucket, vec![tier].leak());
///     [Box::leak(Box::new(Limit::new(policy)))]
/// });
///
/// impl PolicySource for Search {
///     type Identity = NoIdentity;
///
///     fn limits() -> &'static [&'static Limit] {
///         &*LIMITS
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no rate-limit policy",
    note = "declare one with `ratelimit::policy!`, or implement `ratelimit::PolicySource` for it"
)]
pub trait PolicySource: Send + Sync + 'static {
    /// Who the caller is, if the application says so; [`NoIdentity`] otherwise.
    type Identity: Identity + 'static;

    /// Returns the limits: the same ones at each call, and at least one. It may be called before the
    /// first request, to list the policies of the program.
    fn limits() -> &'static [&'static Limit];
}

/// Makes the policies of a source known, at the place of the caller.
#[track_caller]
pub(super) fn register<P: PolicySource>() -> &'static PolicyEntry {
    let policies = policies_of::<P>;
    registry::register_source(
        TypeId::of::<P>(),
        type_name::<P>(),
        Location::caller(),
        policies,
    )
}

impl Builder {
    /// Makes the policies of a source known that is written by hand, so that
    /// [`policies`](crate::policies), the log at the start, and
    /// [`buckets_of`](crate::RateLimiter::buckets_of) and
    /// [`reset_client`](crate::RateLimiter::reset_client) have them before the first request.
    ///
    /// It is for a source that only handlers use. A [`RateLimitLayer`](crate::RateLimitLayer) does the
    /// same, and sources of `#[rate_limit]` and [`policy!`](crate::policy!) are always known.
    /// [`build`](Self::build) also returns an error if one of these policies has the name of another.
    ///
    /// ```
    /// use ratelimit::{Algorithm, Limit, NoIdentity, Policy, PolicySource, Quota, RateLimiter, Tier};
    ///
    /// struct Search;
    ///
    /// impl PolicySource for Search {
    ///     type Identity = NoIdentity;
    ///
    ///     fn limits() -> &'static [&'static Limit] {
    ///         static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_minute(60))];
    ///         static LIMIT: Limit =
    ///             Limit::new(Policy::new("written search", Algorithm::TokenBucket, &TIERS));
    ///         static ALL: [&Limit; 1] = [&LIMIT];
    ///         &ALL
    ///     }
    /// }
    ///
    /// let limiter = RateLimiter::builder().policy_source::<Search>().build()?;
    /// let entries = ratelimit::policies();
    /// assert!(entries.iter().any(|entry| entry.name().ends_with("::Search")));
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    #[track_caller]
    pub fn policy_source<P: PolicySource>(self) -> Self {
        self.with_source(register::<P>())
    }
}

/// Callers are known by what requests say: an API key, an address.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIdentity;

impl Identity for NoIdentity {
    fn identify(&self) -> Option<Identified<'_>> {
        None
    }
}

impl<S: Sync> FromRequestParts<S> for NoIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}
