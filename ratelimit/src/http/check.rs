//! What extractor and layer have in common: from a request to a verdict, and from an answer to a
//! response that says so.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use smallvec::SmallVec;

use super::{
    Limit, RateLimitExceeded, RateLimitedRejection, StoreUnavailable,
    decisions::{carried, decided_before, is_wanted, limiter, of_layers, record},
    headers,
    source::{BoxFuture, Rules, Source, SourceOf},
};
use crate::{
    client::Identified,
    limiter::{Caller, OutsideDecisions, RateLimitStatus, RateLimiter, Verdict},
    policy::Policy,
};

/// In the extensions of a response: a limit rejected the request, so that it has not come to the
/// handler. Answers of `on_limited` and to gRPC have it as well; what a handler answers has not.
#[derive(Clone, Copy)]
pub(crate) struct Rejected;

/// In the extensions of a response: the extractor that says who is calling rejected the request before
/// its limit was checked.
#[derive(Clone, Copy)]
pub(crate) struct IdentityRejected;

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

async fn decide_in_time<S>(
    parts: &mut Parts,
    state: &S,
    source: Source<S>,
    own: Option<&RateLimiter>,
) -> Checked {
    let rules = source.rules;
    let identity = if rules.has_identity() {
        match (source.identity)(parts, state).await {
            Ok(identity) => Some(identity),
            Err(mut rejection) => {
                let limiter = own.unwrap_or_else(|| limiter(parts));
                if is_wanted(carried(parts), limiter) {
                    rejection.extensions_mut().insert(IdentityRejected);
                }
                return Err(rejection);
            }
        }
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
    Caller::new(parts).with_path(path).with_identity(identified)
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

/// The matched route's parameters.
async fn path_parameters(parts: &mut Parts) -> Vec<(String, String)> {
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        return Vec::new();
    };
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    parameters.iter().map(owned).collect()
}
