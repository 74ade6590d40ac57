//! A policy source as a value: what does not depend on its type is compiled once for all handlers.

use std::{any::TypeId, pin::Pin};

use axum::{extract::FromRequestParts, response::IntoResponse};
use http::request::Parts;

use super::{Limit, NoIdentity, PolicySource, RateLimitedRejection};
use crate::{client::Identity, policy::Policy};

/// A policy source as a value: what depends on its type is little, since the compiler makes that anew
/// for each argument of each handler.
pub(super) struct Source<S> {
    pub(super) rules: Rules,
    pub(super) identity: ExtractIdentity<S>,
}

/// What of a source does not depend on the application's state.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// The source's.
    pub(super) id: TypeId,
    pub(super) limits: &'static [&'static Limit],
    /// That of [`NoIdentity`] if callers are known by what the request says.
    pub(super) identity: TypeId,
}

/// As it is handed on: a source is more than it takes to make it.
pub(super) type SourceOf<S> = fn() -> Source<S>;

pub(super) type ExtractIdentity<S> =
    for<'a> fn(
        &'a mut Parts,
        &'a S,
    ) -> BoxFuture<'a, Result<Box<dyn Identity>, RateLimitedRejection>>;

pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
    pub(super) fn policies(self) -> impl Iterator<Item = &'static Policy> {
        self.limits.iter().map(|limit| limit.policy())
    }

    pub(super) fn has_identity(self) -> bool {
        self.identity != TypeId::of::<NoIdentity>()
    }

    pub(super) fn need_path(self) -> bool {
        self.policies().any(|policy| policy.key().needs_path())
    }

    /// Whether these are all parameters that the keys name.
    pub(super) fn have_parameters(self, path: &[(String, String)]) -> bool {
        self.policies()
            .all(|policy| policy.key().has_parameters(path))
    }

    /// Whether what a request says itself is all that the decision needs.
    pub(super) fn go_by_parts(self) -> bool {
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
