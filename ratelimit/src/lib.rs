#![doc = include_str!("../../README.md")]

pub mod algorithm;
mod budget;
mod client;
mod clock;
#[cfg(feature = "dashboard")]
mod dashboard;
mod foreign_text;
mod http;
mod limiter;
mod log_throttle;
mod observe;
mod policy;
mod store;
mod sync;
pub mod testing;

#[cfg(feature = "dashboard")]
pub use self::dashboard::{Dashboard, TokenError, dashboard};
#[cfg(feature = "redis")]
pub use self::store::redis::{
    ConnectError, RedisCredentials, RedisStore, RedisStoreBuilder, RedisTiers,
};
/// Limits how often an axum handler may be called.
///
/// Before any of the handler's extractors runs, the caller is recognised, its tier looked up and one
/// atomic decision taken. A request over the limit is answered with [`RateLimitExceeded`]; every
/// other answer, be it the handler's or an extractor's rejection, gets the rate-limit headers.
///
/// ```
/// use axum::{Json, extract::Query, http::StatusCode};
/// use ratelimit::{RateLimitStatus, rate_limit};
///
/// // By API key, on tiers, with room for a burst:
/// #[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, algo = "token_bucket", burst = 20)]
/// async fn search(Query(query): Query<Vec<(String, String)>>) -> String {
///     format!("looking for {query:?}")
/// }
///
/// // Everybody alike, by IP address:
/// #[rate_limit(limit = 5, per = "1m", algo = "fixed_window")]
/// async fn login(Json(user): Json<String>) -> StatusCode {
///     StatusCode::UNAUTHORIZED
/// }
///
/// // Tiers with windows of their own, in the long form, and a handler that sees what is left:
/// #[rate_limit(
///     tier_header = "X-API-Key",
///     free(limit = 100, per = "1h"),
///     pro(limit = 50, per = "1s"),
///     tiers("beta-testers" = 10),
///     internal = unlimited,
///     cost = 2
/// )]
/// async fn report(status: RateLimitStatus) -> String {
///     format!("{:?} left", status.remaining())
/// }
/// ```
///
/// All options are in [the table of the crate's documentation](crate#the-attribute). Options that
/// cannot work are compile errors, at the word that is wrong.
///
/// # What becomes of the handler
///
/// It keeps its name, its visibility and its number of arguments, but each argument `T` becomes a
/// [`RateLimited<P, T>`](RateLimited), and what it returns a response. So it goes into a route as
/// before, but other code cannot call it as it was. `P` is a hidden type beside the handler, which
/// is why a method in an `impl` block cannot be annotated.
///
/// Other attributes go above or below. Those below stay with the handler's own code.
/// `#[debug_handler]` works above if the handler has an argument, and below always.
pub use ratelimit_macros::rate_limit;

/// Declares a policy that several handlers, and [layers](RateLimitLayer), share: one name, and one
/// bucket for each client.
///
/// Its options are those of [`#[rate_limit]`](macro@rate_limit). It is also how functions in `impl`
/// blocks are limited, which cannot have a policy of their own.
///
/// ```
/// use axum::{extract::State, routing::{get, Router}};
/// use ratelimit::{policy, rate_limit};
///
/// policy! {
///     /// What each client may do with articles, by whatever route.
///     pub Articles: limit = 60, per = "1m"
/// }
///
/// #[rate_limit(policy = Articles)]
/// async fn list() {}
///
/// #[derive(Clone)]
/// struct Service;
///
/// impl Service {
///     #[rate_limit(policy = Articles)]
///     async fn show(State(service): State<Self>) {}
/// }
///
/// let app: Router = Router::new()
///     .route("/articles", get(list))
///     .route("/articles/{id}", get(Service::show))
///     .with_state(Service);
/// ```
pub use ratelimit_macros::policy;

pub use self::{
    algorithm::Decision,
    budget::Budget,
    client::{
        ApiKey, ClientId, ForwardedHeader, Identified, Identity, KnownKey, LONGEST_API_KEY,
        NoClientId, ResolveError, StaticTiers, TierResolver,
    },
    clock::{Clock, ManualClock, MonotonicClock},
    http::{
        DrainBody, DrainBodyLayer, Limit, NoIdentity, NotLimited, PolicySource, RATE_LIMIT_HEADERS,
        RateLimit, RateLimitExceeded, RateLimitLayer, RateLimited, RateLimitedRejection, Responder,
        StoreUnavailable,
    },
    limiter::{
        AlreadyInstalled, BuildError, Builder, Bypass, BypassError, Caller, HeaderStyle,
        RateLimitStatus, RateLimiter, SetTierError, Standing,
    },
    observe::{Figures, Latency, Second, Totals, WrongCredentials},
    policy::{
        Algorithm, Key, KeyValue, OnStoreError, Policy, PolicyEntry, Quota, QuotaError, Tier,
        policies,
    },
    store::{
        Bucket, Charge, FleetBypass, FleetReport, FleetStore, MemoryStore, Store, StoreChange,
        StoreError, StoreHealth, SyncCheck, TierStore,
    },
};

#[doc = include_str!("compile_errors.md")]
pub mod compile_errors {}

/// What the code that the macros emit needs beside the public items.
#[doc(hidden)]
pub mod __private {
    pub use axum::response::Response;
    pub use http::{HeaderName, request::Parts};
    pub use inventory;
    pub use once_cell::sync::Lazy;

    pub use crate::policy::{header_constant::header_constant, window};
    use crate::{Limit, Policy, PolicySource};

    pub type Limits = Vec<&'static Limit>;

    // A function and not the trait, whose name in error messages should be axum's.
    pub fn into_response(answer: impl axum::response::IntoResponse) -> Response {
        answer.into_response()
    }

    pub fn join(limits: &[&[&'static Limit]]) -> Limits {
        limits.concat()
    }

    pub fn policies_of<P: PolicySource>() -> Vec<&'static Policy> {
        policies(P::limits())
    }

    // Not generic, so that it is there once and not for each handler.
    fn policies(limits: &[&'static Limit]) -> Vec<&'static Policy> {
        limits.iter().map(|limit| limit.policy()).collect()
    }
}
