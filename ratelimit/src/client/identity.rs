//! Callers that the application itself has recognised.

use super::ClientId;

/// A caller as the application knows it: a user of a JSON Web Token, a tenant, a session.
///
/// A handler with `#[rate_limit(identity = Type, …)]` goes by a `Type` that is an extractor
/// (`FromRequestParts`) and an `Identity`. It is extracted before the limit is asked; where it
/// rejects a request, its rejection is the answer, and nothing is counted. With
/// `identity = Option<Type>` (which needs `OptionalFromRequestParts`) callers may be anonymous:
/// they are on the default tier, and known by their IP addresses.
///
/// A handler that takes the type as an argument as well has it extracted twice. Where that is dear,
/// the extractor keeps what it found in the request's extensions.
///
/// ```
/// use axum::{extract::FromRequestParts, http::{StatusCode, request::Parts}};
/// use ratelimit::{Identified, Identity, rate_limit};
///
/// struct User {
///     id: u64,
///     plan: String,
/// }
///
/// impl<S: Sync> FromRequestParts<S> for User {
///     type Rejection = StatusCode;
///
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         // … from a session or a token
/// #       let _ = parts;
///         Err(StatusCode::UNAUTHORIZED)
///     }
/// }
///
/// impl Identity for User {
///     fn identify(&self) -> Option<Identified<'_>> {
///         Some(Identified::new(self.id.to_string()).on_tier(&self.plan))
///     }
/// }
///
/// #[rate_limit(identity = User, free = 60, pro = 600)]
/// async fn search(user: User) -> String {
///     format!("found something for {}", user.id)
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(search));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who a caller is",
    note = "implement `ratelimit::Identity` for it"
)]
pub trait Identity: Send {
    /// Who the caller is; `None` for an anonymous one.
    fn identify(&self) -> Option<Identified<'_>>;
}

impl<T: Identity> Identity for Option<T> {
    fn identify(&self) -> Option<Identified<'_>> {
        self.as_ref()?.identify()
    }
}

/// A caller that is known: what tells it from all others, and its tier.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'a> {
    pub(crate) client: ClientId,
    pub(crate) tier: Option<&'a str>,
}

impl<'a> Identified<'a> {
    /// The caller with this name, number or key: only a digest of it is kept. It is on the default
    /// tier.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self {
            client: ClientId::identity(name.as_ref()),
            tier: None,
        }
    }

    /// Returns the caller on the tier with this name.
    ///
    /// Under a policy that does not declare the tier, the caller is on the default tier, which is logged
    /// once for each name.
    #[must_use]
    pub fn on_tier(self, tier: &'a str) -> Self {
        Self {
            tier: Some(tier),
            ..self
        }
    }
}
