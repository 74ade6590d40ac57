//! What extractor and layer have in common: from a request to a verdict, and from an answer to a
//! response that says so.

use std::{
    any::TypeId,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams, connect_info::MockConnectInfo},
    response::{IntoResponse, Response},
};
use http::{Extensions, request::Parts};
use smallvec::SmallVec;

use super::{
    Limit, NoIdentity, PolicySource, RateLimitExceeded, RateLimitedRejection, StoreUnavailable,
    headers,
};
use crate::{
    client::{Identified, Identity},
    limiter::{Account, Caller, OutsideDecisions, RateLimitStatus, RateLimiter, Verdict},
    policy::Policy,
};

/// What a request carries from the limits that allowed it to those after them.
#[derive(Clone, Default)]
struct Carried {
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
    fn divide(&self, rules: Rules, limiter: &RateLimiter) -> (Policies, OutsideDecisions) {
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

/// In the extensions of a response: a limit rejected the request, so that it has not come to the
/// handler. Answers of `on_limited` and to gRPC have it as well; what a handler answers has not.
#[derive(Clone, Copy)]
struct Rejected;

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

fn carried(parts: &Parts) -> Option<&Carried> {
    parts.extensions.get::<Carried>()
}

fn is_wanted(carried: Option<&Carried>, limiter: &RateLimiter) -> bool {
    limiter.is_for_tests() || carried.is_some_and(|carried| carried.is_wanted)
}

/// A policy source as a value: what depends on its type is little, since the compiler makes that anew
/// for each argument of each handler.
pub(super) struct Source<S> {
    rules: Rules,
    identity: ExtractIdentity<S>,
}

/// What of a source does not depend on the application's state.
#[derive(Clone, Copy)]
struct Rules {
    /// The source's.
    id: TypeId,
    limits: &'static [&'static Limit],
    /// That of [`NoIdentity`] if callers are known by what the request says.
    identity: TypeId,
}

/// As it is handed on: a source is more than it takes to make it.
pub(super) type SourceOf<S> = fn() -> Source<S>;

type ExtractIdentity<S> =
    for<'a> fn(
        &'a mut Parts,
        &'a S,
    ) -> BoxFuture<'a, Result<Box<dyn Identity>, RateLimitedRejection>>;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<S> Source<S> {
    pub(super) fn of<P>() -> Self
    where
        P: PolicySource,
        P::Identity: FromRequestParts<S>,
        S: Send + Sync,
    {
        Self {
            rules: Rules {
                id: TypeId::of::<P>(),
                limits: P::limits(),
                identity: TypeId::of::<P::Identity>(),
            },
            identity: extract_identity::<P::Identity, S>,
        }
    }

    pub(super) fn limits(&self) -> &'static [&'static Limit] {
        self.rules.limits
    }
}

impl Rules {
    fn policies(self) -> impl Iterator<Item = &'static Policy> {
        self.limits.iter().map(|limit| limit.policy())
    }

    fn has_identity(self) -> bool {
        self.identity != TypeId::of::<NoIdentity>()
    }

    fn need_path(self) -> bool {
        self.policies().any(|policy| policy.key().needs_path())
    }

    /// Whether these are all parameters that the keys name.
    fn have_parameters(self, path: &[(String, String)]) -> bool {
        self.policies()
            .all(|policy| policy.key().has_parameters(path))
    }

    /// Whether what a request says itself is all that the decision needs.
    fn go_by_parts(self) -> bool {
        !self.has_identity() && !self.need_path()
    }
}

fn extract_identity<'a, I, S>(
    parts: &'a mut Parts,
    state: &'a S,
) -> BoxFuture<'a, Result<Box<dyn Identity>, RateLimitedRejection>>
where
    I: Identity + FromRequestParts<S> + 'static,
    S: Send + Sync,
{
    Box::pin(async {
        let identity = I::from_request_parts(parts, state).await;
        let identity =
            identity.map_err(|rejection| RateLimitedRejection::new(rejection.into_response()))?;
        Ok(Box::new(identity) as Box<dyn Identity>)
    })
}

/// What was decided, or the response to a request that is turned away.
pub(super) type Checked = Result<Arc<RateLimitStatus>, RateLimitedRejection>;

/// Checks this request, or finds the decision that the same policy source and limiter have taken
/// about it before. A layer may have a limiter of its own.
///
/// What is awaited is boxed: the allocation is negligible next to it, and otherwise it would be a part
/// of each handler's future, which is moved about, and compiled again for each handler.
pub(super) async fn decide<S: Sync>(
    parts: &mut Parts,
    state: &S,
    of: SourceOf<S>,
    own: Option<&RateLimiter>,
) -> Checked {
    match decide_at_once(parts, of().rules, own) {
        Some(checked) => checked,
        None => boxed(decide_in_time(parts, state, of(), own)).await,
    }
}

/// The decision where nothing and nobody needs to be waited for.
fn decide_at_once(parts: &mut Parts, rules: Rules, own: Option<&RateLimiter>) -> Option<Checked> {
    if let Some(status) = decided_before(parts, rules, own) {
        return Some(Ok(status));
    }
    if !rules.go_by_parts() {
        return None;
    }
    let limiter = own.unwrap_or_else(|| limiter(parts));
    let caller = caller(parts, &[], None);
    let status = match carried(parts) {
        None => limiter.check_at_once(rules.policies(), caller)?,
        Some(carried) => {
            let (policies, outside) = carried.divide(rules, limiter);
            if policies.is_empty() {
                let status = of_layers(outside)?;
                return Some(Ok(record(parts, rules, true, status)));
            }
            let status = limiter.check_at_once(policies, caller)?;
            status.with_outside(outside)
        }
    };
    let status = status.wanted(is_wanted(carried(parts), limiter));
    Some(conclude(parts, rules, true, status))
}

/// Returns the decision that was taken before, which is then the innermost one.
fn decided_before(
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
fn of_layers(mut outside: OutsideDecisions) -> Option<Arc<RateLimitStatus>> {
    let (_, last) = outside.pop()?;
    outside.retain(|(_, other)| !Arc::ptr_eq(other, &last));
    if outside.is_empty() {
        return Some(last);
    }
    let last = RateLimitStatus::clone(&last).with_outside(outside);
    Some(Arc::new(last))
}

async fn decide_in_time<S>(
    parts: &mut Parts,
    state: &S,
    source: Source<S>,
    own: Option<&RateLimiter>,
) -> Checked {
    let rules = source.rules;
    let identity = if rules.has_identity() {
        Some((source.identity)(parts, state).await?)
    } else {
        None
    };
    let identified = identity.as_ref().and_then(|identity| identity.identify());
    let path = if rules.need_path() {
        path_parameters(parts).await
    } else {
        Vec::new()
    };
    let limiter = own.unwrap_or_else(|| limiter(parts));
    let (policies, outside) = match carried(parts) {
        Some(carried) => carried.divide(rules, limiter),
        None => (rules.policies().collect(), OutsideDecisions::new()),
    };
    let has_parameters = rules.have_parameters(&path);
    if policies.is_empty()
        && let Some(status) = of_layers(outside.clone())
    {
        return Ok(record(parts, rules, has_parameters, status));
    }
    let caller = caller(parts, &path, identified);
    let status = if rules.go_by_parts() {
        // At once it could not be decided.
        limiter.check_in_time(&policies, caller).await
    } else {
        limiter.check_all(&policies, caller).await
    };
    let status = status.with_outside(outside);
    let status = status.wanted(is_wanted(carried(parts), limiter));
    conclude(parts, rules, has_parameters, status)
}

fn caller<'a>(
    parts: &'a Parts,
    path: &'a [(String, String)],
    identified: Option<Identified<'a>>,
) -> Caller<'a> {
    Caller::new(parts)
        .with_peer(peer(parts))
        .with_path(path)
        .with_identity(identified)
}

fn conclude(
    parts: &mut Parts,
    rules: Rules,
    has_parameters: bool,
    status: RateLimitStatus,
) -> Checked {
    let status = Arc::new(status);
    let mut response = match status.verdict() {
        Verdict::Admitted => return Ok(record(parts, rules, has_parameters, status)),
        Verdict::Limited => turn_away(rules.limits, &status),
        Verdict::StoreDown => StoreUnavailable.into_response(),
    };
    if status.is_wanted() {
        response.extensions_mut().insert(Rejected);
    }
    Err(RateLimitedRejection::new(response))
}

/// Has the request carry a decision that allows it, as the innermost one.
fn record(
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

/// The response to a request over the limit.
fn turn_away(limits: &[&Limit], status: &Arc<RateLimitStatus>) -> Response {
    let exceeded = RateLimitExceeded::new(status.clone());
    let policy = exceeded.policy();
    let own_answer = limits
        .iter()
        .find(|limit| std::ptr::eq(limit.policy(), policy))
        .and_then(|limit| limit.on_limited());
    let mut response = match own_answer {
        Some(answer) => {
            let mut response = answer(&exceeded);
            headers::write(status, response.headers_mut());
            response
        }
        // With the headers.
        None => exceeded.into_response(),
    };
    if status.is_wanted() {
        response
            .extensions_mut()
            .insert(RateLimitStatus::clone(status));
    }
    response
}

/// Finishes the answer to a request that was admitted: adds the headers, and gives back what is due.
///
/// In its place, as a response is large, and would be moved into this future and out of it.
pub(super) async fn finish(
    limits: &[&'static Limit],
    status: &RateLimitStatus,
    response: &mut Response,
) {
    if limits.iter().any(|limit| limit.may_refund()) {
        boxed(refund(limits, status, response)).await;
    }
    tell(status, response);
}

/// The same for a layer: a request that a limit inside rejects does not count, so that its whole cost
/// is given back.
pub(super) async fn finish_around(
    limits: &[&'static Limit],
    status: &RateLimitStatus,
    response: &mut Response,
) {
    if response.extensions().get::<Rejected>().is_some() {
        boxed(status.refund()).await;
        tell(status, response);
    } else {
        finish(limits, status, response).await;
    }
}

/// [`finish`] for an extractor's rejection, of which there are few: in a box, as it is a part of what
/// each argument waits for.
pub(super) fn finish_rejection<'a>(
    limits: &'a [&'static Limit],
    status: &'a RateLimitStatus,
    mut rejection: Response,
) -> BoxFuture<'a, RateLimitedRejection> {
    boxed(async move {
        finish(limits, status, &mut rejection).await;
        RateLimitedRejection::new(rejection)
    })
}

async fn refund(limits: &[&'static Limit], status: &RateLimitStatus, response: &mut Response) {
    let due: SmallVec<[&Limit; 1]> = limits
        .iter()
        .filter(|limit| limit.is_refunded(response))
        .copied()
        .collect();
    if !due.is_empty() {
        let is_due = |policy: &Policy| due.iter().any(|limit| std::ptr::eq(limit.policy(), policy));
        status.refund_where(is_due).await;
    }
}

/// Says in a response what was decided. Where a handler under a layer has a limit of its own, the
/// client hears of the tighter one.
fn tell(status: &RateLimitStatus, response: &mut Response) {
    let inner = response.extensions().get::<RateLimitStatus>();
    if inner.is_none_or(|inner| status.is_tighter_than(inner)) {
        headers::write(status, response.headers_mut());
        if status.is_wanted() {
            response.extensions_mut().insert(status.clone());
        }
    }
}

fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}

fn limiter(parts: &Parts) -> &RateLimiter {
    let own = parts.extensions.get::<RateLimiter>();
    own.unwrap_or_else(|| RateLimiter::global())
}

/// The address at the other end of the connection, where the app is served with it.
fn peer(parts: &Parts) -> Option<IpAddr> {
    let real = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = match real {
        Some(ConnectInfo(address)) => address,
        // How axum has it in tests without a socket.
        None => &parts.extensions.get::<MockConnectInfo<SocketAddr>>()?.0,
    };
    Some(address.ip())
}

/// The matched route's parameters.
async fn path_parameters(parts: &mut Parts) -> Vec<(String, String)> {
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        return Vec::new();
    };
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    parameters.iter().map(owned).collect()
}
