//! Who may see the page's figures and use its actions.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Problem, Shared};
use crate::{clock::micros, limiter::Sampled};

/// A token that can be guessed is none.
const SHORTEST: usize = 32;

/// A token that a page cannot be opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It could be guessed.
    #[error(
        "the dashboard's token is {0} bytes long and must be at least {SHORTEST}; make one with: openssl rand -hex 32"
    )]
    Short(usize),
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
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NoHeader);
        }
        Ok(Self::Token(Sha256::digest(token).into()))
    }

    /// The answer to whoever may not.
    fn refuses(&self, headers: &HeaderMap, wrong_tokens: &Sampled) -> Option<Response> {
        match self {
            Self::ByApp => None,
            Self::Closed => Some(Problem::new(
                StatusCode::FORBIDDEN,
                "this dashboard is closed: open it with ratelimit::dashboard(limiter).token(…), or with .access_by_app() if the application itself decides who may see it",
            ).into_response()),
            Self::Token(digest) => {
                let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
                let token = sent.map(|sent| sent.strip_prefix(b"Bearer ").unwrap_or(sent));
                let problem = match token {
                    None => "a token is needed",
                    // Digests are compared, and in constant time: how long it takes says nothing of
                    // how near a guess is.
                    Some(token) if digest.ct_eq(&Sha256::digest(token)).into() => return None,
                    Some(_) => {
                        wrong_tokens.say(unix_micros(), |left_out| {
                            tracing::warn!(
                                left_out,
                                "somebody tried to open the dashboard with a wrong token"
                            );
                        });
                        "that is not the token"
                    }
                };
                let mut response = Problem::new(StatusCode::UNAUTHORIZED, problem).into_response();
                let headers = response.headers_mut();
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                Some(response)
            }
        }
    }
}

fn unix_micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, micros)
}

/// Lets through who may see it, and what their browser does for this page alone.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let refusal = shared
        .access
        .refuses(request.headers(), &shared.wrong_tokens);
    if let Some(refusal) = refusal {
        return refusal;
    }
    let (uri, headers) = (request.uri(), request.headers());
    let is_by_app = matches!(shared.access, Access::ByApp);
    if is_by_app && !shared.hosts.allow(uri, headers) {
        return forbidden(
            "this dashboard is not known by this name: list it with ratelimit::dashboard(limiter).access_by_app().allowed_hosts([…]), or use the server's IP address",
        );
    }
    let is_foreign =
        is_from_another_site(headers) || (is_by_app && !shared.hosts.is_same_origin(uri, headers));
    if request.method() != Method::GET && is_foreign {
        return forbidden("this came from another site's page: use the dashboard's own");
    }
    next.run(request).await
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
