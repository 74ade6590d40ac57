//! The page itself: one document, which loads nothing from anywhere.
//!
//! It is kept as files by idea, in `page/`, and put together when the router is made.

use axum::{
    body::Bytes,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");

/// One script, in this order: each part uses those before it.
const SCRIPT: &[&str] = &[
    "'use strict';\n",
    include_str!("page/know.js"),
    include_str!("page/dom.js"),
    include_str!("page/server.js"),
    include_str!("page/board.js"),
    include_str!("page/charts.js"),
    include_str!("page/lists.js"),
    include_str!("page/actions.js"),
];

/// The page with its [Content Security Policy]: no script or style but its own, which are named by
/// their digests, and no requests but to where it comes from.
///
/// [Content Security Policy]: https://www.w3.org/TR/CSP3/
#[derive(Clone)]
pub(super) struct Page {
    html: Bytes,
    policy: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let script = SCRIPT.join("\n");
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            source(&script),
            source(STYLE),
        );
        let html = HTML
            .replace("<style></style>", &format!("<style>{STYLE}</style>"))
            .replace("<script></script>", &format!("<script>{script}</script>"));
        Self {
            html: html.into(),
            policy: HeaderValue::try_from(policy).expect("it is plain text"),
        }
    }
}

/// The source of an inline element, as the policy names it.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = Html(self.html).into_response();
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
