//! Rate limiting for axum: annotate the handler.

pub mod algorithm;
mod client;
mod clock;
mod http;
mod limiter;
mod policy;
mod store;

#[cfg(feature = "redis")]
pub use self::store::redis::{ConnectError, RedisStore, RedisStoreBuilder, RedisTiers};
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
    store::{Bucket, MemoryStore, Store, StoreError},
};

/// What the code that `#[rate_limit]` emits needs beside the public items.
#[doc(hidden)]
pub mod __private {
    pub use axum::response::Response;
    pub use http::HeaderName;

    pub use crate::policy::window;
}
