#![deny(warnings, missing_docs, unreachable_pub)]

//! Headers that constants name: a `&str` in whatever case, or a `HeaderName`.

use axum::{
    Router,
    http::{self, HeaderName},
    routing::get,
};
use ratelimit::{Key, policies, policy, rate_limit};

const TEXT: &str = "X-API-Key";
const NAME: HeaderName = HeaderName::from_static("x-api-key");

mod headers {
    /// Its name is that of a `static` that the macro might emit.
    pub(crate) const HEADER: &str = "X-Tenant_2";
}

#[rate_limit(tier_header = TEXT, free = 60, name = "text")]
async fn text() {}

#[rate_limit(tier_header = NAME, free = 60, name = "name")]
async fn name() {}

#[rate_limit(tier_header = http::header::AUTHORIZATION, free = 60, name = "path")]
async fn path() {}

use headers::HEADER;

#[rate_limit(limit = 60, key = (ip, header(HEADER)), name = "key")]
async fn key() {}

policy! { Shared: tier_header = headers::HEADER, free = 60, name = "shared" }

#[rate_limit(policy = Shared)]
async fn shared() {}

fn main() {
    let _: Router = Router::new()
        .route("/text", get(text))
        .route("/name", get(name))
        .route("/path", get(path))
        .route("/key", get(key))
        .route("/shared", get(shared));
    for entry in policies() {
        for policy in entry.policies() {
            let expected = match policy.name() {
                "text" | "name" => Some("x-api-key"),
                "path" => Some("authorization"),
                "shared" => Some("x-tenant_2"),
                _ => None,
            };
            assert_eq!(policy.tier_header().map(HeaderName::as_str), expected);
            if policy.name() == "key" {
                let keys = format!("{:?}", policy.key());
                assert!(keys.contains("x-tenant_2"), "{keys}");
                assert!(matches!(policy.key(), Key::All(_)));
            }
        }
    }
}
