//! Who may see the page's figures and use its actions.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION, request::Parts};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Problem, Shared, guesses::unauthorized};

/// A token that can be guessed is none.
const SHORTEST: usize = 32;

/// What is longer is not hashed: what a request makes the dashboard do is bounded.
const LONGEST: usize = 512;

/// A token that a page cannot be opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It could be guessed.
    #[error(
        "the dashboard's token is {0} bytes long and must be at least {SHORTEST}; make one with: openssl rand -hex 32"
    )]
    Short(usize),
    /// It is longer than the tokens that the dashboard looks at.
    #[error("the dashboard's token is {0} bytes long and must be at most {LONGEST}")]
    Long(usize),
    /// No request can carry it.
    #[error(
        "the dashboard's token is sent in a header, so it has neither white space nor control characters"
    )]
    NoHeader,
}

pub(super) enum Access {
    Closed,
    /// Whoever has the token with this digest.
    Token([u8; 32]),
    ByApp,
}

impl Access {
    pub(super) fn token(token: &str) -> Result<Self, TokenError> {
        if token.len() < SHORTEST {
            return Err(TokenError::Short(token.len()));
        }
        if token.len() > LONGEST {
            return Err(TokenError::Long(token.len()));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NoHeader);
        }
        Ok(Self::Token(Sha256::digest(token).into()))
    }

    /// Returns the response to a request that is not allowed.
    fn rejection(&self, shared: &Shared, parts: &Parts) -> Option<Response> {
        match self {
            Self::ByApp => None,
            Self::Closed => Some(Problem::new(
                StatusCode::FORBIDDEN,
                "this dashboard is closed: open it with ratelimit::dashboard(limiter).token(…), or with .access_by_app() if the application itself decides who may see it",
            ).into_response()),
            Self::Token(digest) => match credentials(&parts.headers) {
                Credentials::Missing => Some(unauthorized("a token is needed")),
                // Digests are compared, and in constant time: how long it takes says nothing of how
                // near a guess is. The right token is compared before guesses are limited, so that
                // no attacker at the same address can lock the operator out.
                Credentials::Token(token) if digest.ct_eq(&Sha256::digest(token)).into() => None,
                Credentials::Token(_) | Credentials::Invalid => {
                    Some(shared.guesses.reject(&shared.limiter, parts))
                }
            },
        }
    }
}

/// What a request has in its `Authorization` header.
enum Credentials<'a> {
    Missing,
    Token(&'a [u8]),
    /// Longer than any token, or two values of which either may be meant.
    Invalid,
}

fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Credentials::Missing;
    };
    let token = bearer(value.as_bytes());
    if values.next().is_some() || token.len() > LONGEST {
        return Credentials::Invalid;
    }
    Credentials::Token(token)
}

/// Returns the token of a value. The scheme's case does not matter ([RFC 9110, section 11.1]), and a
/// value without it is the token.
///
/// [RFC 9110, section 11.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.1
fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(b"Bearer ".len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => token,
        _ => value,
    }
}

/// Lets through who may see it, and what their browser does for this page alone.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(rejection) = shared.access.rejection(&shared, &parts) {
        return rejection;
    }
    let (uri, headers) = (&parts.uri, &parts.headers);
    let is_by_app = matches!(shared.access, Access::ByApp);
    if is_by_app && !shared.hosts.allow(uri, headers) {
        return forbidden(
            "this dashboard is not known by this name: list it with ratelimit::dashboard(limiter).access_by_app().allowed_hosts([…]), or use the server's IP address",
        );
    }
    let is_foreign =
        is_from_another_site(headers) || (is_by_app && !shared.hosts.is_same_origin(uri, headers));
    if parts.method != Method::GET && is_foreign {
        return forbidden("this came from another site's page: use the dashboard's own");
    }
    next.run(Request::from_parts(parts, body)).await
}

fn forbidden(text: &str) -> Response {
    Problem::new(StatusCode::FORBIDDEN, text).into_response()
}

/// Whether another site's page has made the browser send it ([Fetch Metadata]). Where a browser does
/// not say, it has asked first all the same: it does so before any cross-site request whose body is
/// JSON, and gets no permission here.
///
/// [Fetch Metadata]: https://www.w3.org/TR/fetch-metadata/
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}
