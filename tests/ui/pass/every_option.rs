#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]

//! Each option as a user may write it.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRequestParts, OptionalFromRequestParts, State},
    http::{StatusCode, request::Parts},
    routing::get,
};
use ratelimit::{Identified, Identity, RateLimitExceeded, policy, rate_limit};

const FREE: u32 = 60;
const HOUR: Duration = Duration::from_secs(3_600);

mod limits {
    pub(crate) const BURST: u32 = 7;
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 60,
    pro = 600,
    algo = "token_bucket",
    burst = 20
)]
async fn as_on_the_box() {}

#[rate_limit(
    tier_header = "X-API-Key",
    free = FREE,
    pro(limit = FREE * 10, per = "1s", burst = limits::BURST),
    enterprise(limit = 6_000, per = HOUR),
    internal = unlimited,
    tiers(gold = 1200, "my-tier"(limit = 5), partner = unlimited),
    default_tier = "my-tier",
    key = ip,
    per = "2m30s",
    algo = token_bucket,
    burst = (3 + 4),
    cost = 2,
    name = "everything",
    crate = ::ratelimit,
)]
async fn everything() {}

#[rate_limit(limit = 5, key = global, algo = "fixed_window")]
async fn global() {}

struct User {
    id: u64,
    plan: String,
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Err(StatusCode::UNAUTHORIZED)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, StatusCode> {
        Ok(None)
    }
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new(self.id.to_string()).on_tier(&self.plan))
    }
}

fn size(parts: &Parts) -> u32 {
    u32::try_from(parts.headers.len()).unwrap_or(u32::MAX)
}

fn is_internal(parts: &Parts) -> bool {
    parts.headers.contains_key("x-internal")
}

fn query(parts: &Parts) -> Option<&str> {
    parts.uri.query()
}

fn too_many(exceeded: &RateLimitExceeded) -> (StatusCode, String) {
    (StatusCode::TOO_MANY_REQUESTS, exceeded.to_string())
}

#[rate_limit(
    identity = Option<User>,
    free = 60,
    pro = 600,
    key = (caller, ip, host, path("id"), header("X-Tenant"), query, |parts: &Parts| parts.headers.len() as u64),
    cost = size,
    exempt = is_internal,
    refund_if = |response| response.status().is_success(),
    wait = "500ms",
    on_store_error = deny,
    on_limited = too_many
)]
#[rate_limit(limit = 5, per = "1s", algo = "token_bucket", exempt = |parts| parts.uri.path() == "/", shadow)]
#[rate_limit(policy = Shared)]
async fn by_identity() {}

policy! {
    /// What several handlers share.
    pub(crate) Shared: limit = 100, per = HOUR, cost = COST
}

const COST: u32 = 2;

#[rate_limit(policy = Shared)]
async fn shared() {}

#[derive(Clone)]
struct Service;

impl Service {
    #[rate_limit(policy = Shared)]
    async fn show(State(service): State<Self>) -> &'static str {
        let Self = service;
        Self::text()
    }

    #[rate_limit(policy = Shared)]
    async fn list() -> &'static str {
        "list"
    }

    fn text() -> &'static str {
        "text"
    }
}

#[rate_limit(limit = 5u32, key = header("X-Tenant"))]
async fn by_header() {}

fn main() {
    let _: Router = Router::new()
        .route("/box", get(as_on_the_box))
        .route("/everything", get(everything))
        .route("/global", get(global))
        .route("/header", get(by_header))
        .route("/identity/{id}", get(by_identity))
        .route("/shared", get(shared))
        .route("/show", get(Service::show))
        .route("/list", get(Service::list))
        .with_state(Service);
}
