//! The decisions that a request carries from the limits that allowed it to those after them.

use std::{any::TypeId, sync::Arc};

use http::{Extensions, request::Parts};
use smallvec::SmallVec;

use super::source::Rules;
use crate::{
    limiter::{Account, OutsideDecisions, RateLimitStatus, RateLimiter},
    policy::Policy,
};

/// What a request carries from the limits that allowed it to those after them.
#[derive(Clone, Default)]
pub(super) struct Carried {
    /// All decisions, of which the last is that of the innermost limit.
    decided: SmallVec<[Decided; 1]>,
    /// A layer around this looks at the response's extensions for what was decided. Otherwise a map
    /// of extensions need not be made.
    is_wanted: bool,
}

/// A decision, and the policy source that it is about. Another limiter has other buckets, and decides
/// by itself.
#[derive(Clone)]
struct Decided {
    source: TypeId,
    /// The type that says who the caller is.
    identity: TypeId,
    /// Whether the matched route had all parameters that the keys of its policies name.
    has_parameters: bool,
    status: Arc<RateLimitStatus>,
}

/// The policies of one source, which mostly has one.
type Policies = SmallVec<[&'static Policy; 1]>;

impl Carried {
    /// Returns the policies of a source that no limit outside has charged for the same caller, and the
    /// innermost decisions about the others.
    pub(super) fn divide(
        &self,
        rules: Rules,
        limiter: &RateLimiter,
    ) -> (Policies, OutsideDecisions) {
        let mut undecided = Policies::new();
        let mut outside = OutsideDecisions::new();
        for policy in rules.policies() {
            match self.by(rules, limiter, policy).last() {
                Some(status) => outside.push((policy, status.clone())),
                None => undecided.push(policy),
            }
        }
        (undecided, outside)
    }

    fn by(
        &self,
        rules: Rules,
        limiter: &RateLimiter,
        policy: &Policy,
    ) -> impl Iterator<Item = &Arc<RateLimitStatus>> {
        let has = move |status: &&Arc<RateLimitStatus>| {
            let is_of = |account: &Account| std::ptr::eq(account.policy, policy);
            status.limiter().is_same_as(limiter)
                && status.read(|accounts| accounts.iter().any(is_of))
        };
        let needs_caller = policy.key().needs_caller() || policy.tiers().len() > 1;
        // A key that needs the path is another one outside of the router.
        let needs_path = policy.key().needs_path();
        let is_same_client = move |decided: &&Decided| {
            (!needs_caller || decided.identity == rules.identity)
                && (!needs_path || decided.has_parameters)
        };
        let decided = self.decided.iter().filter(is_same_client);
        decided.map(|decided| &decided.status).filter(has)
    }
}

/// Has a request say that what is decided about it is looked for in the response.
pub(crate) fn want(extensions: &mut Extensions) {
    let carried = extensions.get_or_insert_default::<Carried>();
    carried.is_wanted = true;
}

/// Returns the innermost decision about this request, if it is limited.
pub(super) fn decided(parts: &Parts) -> Option<&RateLimitStatus> {
    let last = carried(parts)?.decided.last()?;
    Some(&last.status)
}

pub(super) fn carried(parts: &Parts) -> Option<&Carried> {
    parts.extensions.get::<Carried>()
}

pub(super) fn is_wanted(carried: Option<&Carried>, limiter: &RateLimiter) -> bool {
    limiter.is_for_tests() || carried.is_some_and(|carried| carried.is_wanted)
}

/// Returns the decision that was taken before, which is then the innermost one.
pub(super) fn decided_before(
    parts: &mut Parts,
    rules: Rules,
    own: Option<&RateLimiter>,
) -> Option<Arc<RateLimitStatus>> {
    let decided = &carried(parts)?.decided;
    let by_source = |decided: &Decided| decided.source == rules.id;
    if !decided.iter().any(by_source) {
        return None;
    }
    let limiter = own.unwrap_or_else(|| limiter(parts));
    let at = decided
        .iter()
        .rposition(|decided| by_source(decided) && decided.status.limiter().is_same_as(limiter))?;
    let decided = &mut parts.extensions.get_mut::<Carried>()?.decided;
    decided[at..].rotate_left(1);
    decided.last().map(|last| last.status.clone())
}

/// Returns the decision about a handler's policies if layers have charged all of them.
pub(super) fn of_layers(mut outside: OutsideDecisions) -> Option<Arc<RateLimitStatus>> {
    let (_, last) = outside.pop()?;
    outside.retain(|(_, other)| !Arc::ptr_eq(other, &last));
    if outside.is_empty() {
        return Some(last);
    }
    let last = RateLimitStatus::clone(&last).with_outside(outside);
    Some(Arc::new(last))
}

/// Has the request carry a decision that allows it, as the innermost one.
pub(super) fn record(
    parts: &mut Parts,
    rules: Rules,
    has_parameters: bool,
    status: Arc<RateLimitStatus>,
) -> Arc<RateLimitStatus> {
    let carried = parts.extensions.get_or_insert_default::<Carried>();
    carried.decided.push(Decided {
        source: rules.id,
        identity: rules.identity,
        has_parameters,
        status: status.clone(),
    });
    carried.is_wanted |= status.is_wanted();
    status
}

/// Returns the limiter of a request: the router's own, or the program's.
pub(super) fn limiter(parts: &Parts) -> &RateLimiter {
    let own = parts.extensions.get::<RateLimiter>();
    own.unwrap_or_else(|| RateLimiter::global())
}
