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
    limiter::{Caller, RateLimitStatus, RateLimiter, Verdict},
    policy::Policy,
};

/// What a request carries from whoever decided about it to those after it.
#[derive(Clone, Default)]
struct Carried {
    /// What was decided last, and by whose policies.
    decided: Option<(TypeId, Arc<RateLimitStatus>)>,
    /// Whoever sent it on looks at the response's extensions for what was decided. Where nobody
    /// looks, a map of extensions need not be made.
    is_wanted: bool,
}

/// Has a request say that what is decided about it is looked for in the response.
pub(crate) fn want(extensions: &mut Extensions) {
    let carried = extensions.get_or_insert_default::<Carried>();
    carried.is_wanted = true;
}

/// What was decided about this request last, if it is limited.
pub(super) fn decided(parts: &Parts) -> Option<&RateLimitStatus> {
    let (_, status) = carried(parts)?.decided.as_ref()?;
    Some(status)
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
    /// Otherwise callers are known by what the request says.
    has_identity: bool,
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
                has_identity: TypeId::of::<P::Identity>() != TypeId::of::<NoIdentity>(),
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

    fn need_path(self) -> bool {
        self.policies().any(|policy| policy.key().needs_path())
    }

    /// Whether what a request says itself is all that the decision needs.
    fn go_by_parts(self) -> bool {
        !self.has_identity && !self.need_path()
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

/// The decision about this request: taken by the first that asks for it, and found in the request by
/// those after it.
///
/// Where others must be waited for, a box is nothing. And what is waited for would be a part of each
/// handler's future otherwise, which is moved about, and described again and again by the compiler.
pub(super) async fn decide<S: Sync>(parts: &mut Parts, state: &S, of: SourceOf<S>) -> Checked {
    match decide_at_once(parts, of().rules) {
        Some(checked) => checked,
        None => boxed(decide_in_time(parts, state, of())).await,
    }
}

/// The decision where nothing and nobody needs to be waited for.
fn decide_at_once(parts: &mut Parts, rules: Rules) -> Option<Checked> {
    let carried = carried(parts);
    if let Some((decider, status)) = carried.and_then(|carried| carried.decided.as_ref())
        && *decider == rules.id
    {
        return Some(Ok(status.clone()));
    }
    if !rules.go_by_parts() {
        return None;
    }
    let limiter = limiter(parts);
    let status = limiter.check_at_once(rules.policies(), caller(parts, &[], None))?;
    let status = status.wanted(is_wanted(carried, limiter));
    Some(conclude(parts, rules, status))
}

async fn decide_in_time<S>(parts: &mut Parts, state: &S, source: Source<S>) -> Checked {
    let rules = source.rules;
    let identity = if rules.has_identity {
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
    let policies: SmallVec<[&Policy; 1]> = rules.policies().collect();
    let (limiter, caller) = (limiter(parts), caller(parts, &path, identified));
    let status = if rules.go_by_parts() {
        // At once it could not be decided.
        limiter.check_in_time(&policies, caller).await
    } else {
        limiter.check_all(&policies, caller).await
    };
    let status = status.wanted(is_wanted(carried(parts), limiter));
    conclude(parts, rules, status)
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

fn conclude(parts: &mut Parts, rules: Rules, status: RateLimitStatus) -> Checked {
    let status = Arc::new(status);
    match status.verdict() {
        Verdict::Admitted => {
            parts.extensions.insert(Carried {
                decided: Some((rules.id, status.clone())),
                is_wanted: status.is_wanted(),
            });
            Ok(status)
        }
        Verdict::Limited => Err(RateLimitedRejection::new(turn_away(rules.limits, &status))),
        Verdict::StoreDown => Err(RateLimitedRejection::new(StoreUnavailable.into_response())),
    }
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

/// The same for an extractor's rejection, of which there are few: in a box, as it is a part of what
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
