//! The page itself: one file, which loads nothing from anywhere.

use axum::response::{Html, IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page.html");

/// The page with its [Content Security Policy]: no script or style but its own, which are named by
/// their digests, and no requests but to where it comes from.
///
/// [Content Security Policy]: https://www.w3.org/TR/CSP3/
#[derive(Clone)]
pub(super) struct Page {
    policy: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            digest_of("script"),
            digest_of("style"),
        );
        Self {
            policy: HeaderValue::try_from(policy).expect("it is plain text"),
        }
    }
}

/// Of the text between an element's tags, of which the page has one.
fn digest_of(element: &str) -> String {
    let (begin, end) = (format!("<{element}>"), format!("</{element}>"));
    let text = HTML
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end))
        .map_or("", |(text, _)| text);
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(HTML).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, self.policy);
        response
    }
}

/// Nothing of the dashboard is stored, guessed at, or told to others.
pub(super) async fn kept_to_itself(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let rules: [(HeaderName, &'static str); 3] = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in rules {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
