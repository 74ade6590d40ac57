//! What extractor and layer have in common: from a request to a verdict, and from an answer to a
//! response that says so.

use std::{
    any::TypeId,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, RawPathParams, connect_info::MockConnectInfo},
    response::{IntoResponse, Response},
};
use http::request::Parts;
use smallvec::SmallVec;

use super::{Limit, PolicySource, RateLimitExceeded, StoreUnavailable, headers};
use crate::{
    client::Identity,
    limiter::{Caller, RateLimitStatus, RateLimiter, Verdict},
    policy::Policy,
};

/// What was decided about a request, and by whose policies: kept in the request.
#[derive(Clone)]
pub(super) struct Decided {
    source: TypeId,
    pub(super) status: RateLimitStatus,
}

/// The decision about this request under `P`: taken by the first that asks for it, and found in the
/// request by those after it. An error is the response to a request that is turned away.
pub(super) async fn decide<P, S>(parts: &mut Parts, state: &S) -> Result<RateLimitStatus, Response>
where
    P: PolicySource,
    P::Identity: FromRequestParts<S>,
    S: Send + Sync,
{
    let source = TypeId::of::<P>();
    if let Some(decided) = parts.extensions.get::<Decided>()
        && decided.source == source
    {
        return Ok(decided.status.clone());
    }
    let identity = P::Identity::from_request_parts(parts, state).await;
    let identity = identity.map_err(IntoResponse::into_response)?;
    let limits = P::limits();
    let path = path_parameters(parts, limits).await;
    let limiter = limiter(parts);
    let caller = Caller::new(parts)
        .with_peer(peer(parts))
        .with_path(&path)
        .with_identity(identity.identify());
    let policies: SmallVec<[&Policy; 1]> = limits.iter().map(|limit| limit.policy()).collect();
    let status = limiter.check_all(&policies, caller).await;
    match status.verdict() {
        Verdict::Admitted => {
            parts.extensions.insert(Decided {
                source,
                status: status.clone(),
            });
            Ok(status)
        }
        Verdict::Limited => Err(turn_away(limits, status)),
        Verdict::StoreDown => Err(StoreUnavailable.into_response()),
    }
}

/// The response to a request over the limit.
fn turn_away(limits: &[&Limit], status: RateLimitStatus) -> Response {
    let exceeded = RateLimitExceeded::new(status.clone());
    let policy = exceeded.policy();
    let own_answer = limits
        .iter()
        .find(|limit| std::ptr::eq(limit.policy(), policy))
        .and_then(|limit| limit.on_limited());
    let mut response = match own_answer {
        Some(answer) => answer(&exceeded),
        None => exceeded.into_response(),
    };
    headers::write(&status, response.headers_mut());
    response.extensions_mut().insert(status);
    response
}

/// The answer to a request that was admitted: with the headers, and what is due given back.
pub(super) async fn finish(
    limits: &[&'static Limit],
    status: &RateLimitStatus,
    mut response: Response,
) -> Response {
    let due: SmallVec<[&Limit; 1]> = limits
        .iter()
        .filter(|limit| limit.is_refunded(&response))
        .copied()
        .collect();
    if !due.is_empty() {
        let is_due = |policy: &Policy| due.iter().any(|limit| std::ptr::eq(limit.policy(), policy));
        status.refund_where(is_due).await;
    }
    // Where a handler under a layer has a limit of its own, the client hears of the tighter one.
    let inner = response.extensions().get::<RateLimitStatus>();
    if inner.is_none_or(|inner| status.is_tighter_than(inner)) {
        headers::write(status, response.headers_mut());
        response.extensions_mut().insert(status.clone());
    }
    response
}

fn limiter(parts: &Parts) -> RateLimiter {
    let own = parts.extensions.get::<RateLimiter>();
    own.unwrap_or_else(|| RateLimiter::global()).clone()
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

/// The matched route's parameters, where a limit needs them.
async fn path_parameters(parts: &mut Parts, limits: &[&Limit]) -> Vec<(String, String)> {
    if !limits.iter().any(|limit| limit.policy().key().needs_path()) {
        return Vec::new();
    }
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        return Vec::new();
    };
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    parameters.iter().map(owned).collect()
}
