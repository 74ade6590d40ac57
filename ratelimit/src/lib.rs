#![doc = include_str!("../../README.md")]

pub mod algorithm;
mod client;
mod clock;
mod http;
mod limiter;
mod policy;
mod store;

#[cfg(feature = "redis")]
pub use self::store::redis::{ConnectError, RedisStore, RedisStoreBuilder, RedisTiers};
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

pub use self::{
    algorithm::Decision,
    client::{
        ApiKey, ClientId, ForwardedHeader, KnownKey, LONGEST_API_KEY, ResolveError, StaticTiers,
        TierResolver,
    },
    clock::{Clock, ManualClock, MonotonicClock},
    http::{NotLimited, PolicySource, RateLimitExceeded, RateLimited},
    limiter::{AlreadyInstalled, BuildError, Builder, Caller, RateLimitStatus, RateLimiter},
    policy::{Algorithm, Key, Policy, Quota, QuotaError, Tier},
    store::{Bucket, Charge, MemoryStore, Store, StoreError},
};

/// What the code that `#[rate_limit]` emits needs beside the public items.
#[doc(hidden)]
pub mod __private {
    pub use axum::response::Response;
    pub use http::HeaderName;

    pub use crate::policy::window;
}
