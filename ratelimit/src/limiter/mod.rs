//! The limiter: from a request and a policy to a decision.

mod builder;
mod global;
mod notice;
mod outage;
mod status;

use std::{fmt, net::IpAddr, sync::Arc};

use http::HeaderMap;

pub use self::{
    builder::{BuildError, Builder},
    global::AlreadyInstalled,
    status::RateLimitStatus,
};
use self::{notice::Notice, outage::Outage};
use crate::{
    algorithm::Decision,
    client::{ApiKey, ClientId, KnownCaller, StaticTiers, TierCache, TrustedProxies},
    clock::Clock,
    policy::{Key, Policy},
    store::{AnyStore, Bucket, Charge, MemoryStore},
};

/// Decides about requests: holds the store, knows tiers and trusted proxies.
///
/// One is installed for the whole program, or put on a router with `axum::Extension` for tests and
/// for applications with several. Its clones are the same limiter. Without any, limits are kept in
/// this process's memory.
///
/// ```
/// use axum::{Extension, Router};
/// use ratelimit::{RateLimiter, StaticTiers};
///
/// let limiter = RateLimiter::builder()
///     .tiers(StaticTiers::new([("k-alice", "pro")]))
///     .trusted_proxies(["10.0.0.0/8"])
///     .build()?;
///
/// // For one router (`limiter.install()` would be for all of them):
/// let app: Router = Router::new().layer(Extension(limiter));
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Inner>);

struct Inner {
    store: AnyStore,
    /// Keeps the same limits in this process while the store cannot be asked.
    local: MemoryStore,
    outage: Outage,
    tiers: Tiers,
    proxies: TrustedProxies,
    clock: Arc<dyn Clock>,
    no_peer: Notice,
    no_tiers: Notice,
}

/// Who knows the tiers of API keys.
enum Tiers {
    Nobody,
    Static(StaticTiers),
    Resolver(TierCache),
}

/// What the limiter looks at of a request.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The address at the other end of the connection, if it is known.
    pub peer: Option<IpAddr>,
    /// The request's headers.
    pub headers: &'a HeaderMap,
}

impl RateLimiter {
    /// A limiter with other than the usual settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Decides about one request under a policy, and takes its cost if it is allowed.
    ///
    /// This is what `#[rate_limit]` does before it runs a handler. While the store cannot be asked,
    /// the same limits are kept in this process.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter, Tier};
    ///
    /// static LOGIN: Policy = Policy::new(
    ///     "login",
    ///     Algorithm::FixedWindow,
    ///     &[Tier::new("default", Quota::per_minute(1))],
    /// );
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let limiter = RateLimiter::builder().build()?;
    /// let caller = Caller { peer: Some([203, 0, 113, 7].into()), headers: &HeaderMap::new() };
    ///
    /// assert!(limiter.check(&LOGIN, caller).await.is_allowed());
    /// assert!(!limiter.check(&LOGIN, caller).await.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn check(&self, policy: &'static Policy, caller: Caller<'_>) -> RateLimitStatus {
        let known = self.known_caller(policy, caller.headers).await;
        let tier = match known.as_ref().and_then(|known| known.key.tier()) {
            Some(name) => policy.tier(name),
            None => policy.default_tier(),
        };
        let client = self.client(policy.key(), known.as_ref(), caller);
        let decision = match Bucket::new(policy, tier, client) {
            Some(bucket) => Some(self.decide(&bucket, policy.cost()).await),
            None => None,
        };
        RateLimitStatus::new(policy, tier, decision)
    }

    /// The caller by its API key, if it sent one that somebody knows.
    async fn known_caller(&self, policy: &Policy, headers: &HeaderMap) -> Option<KnownCaller> {
        let header = policy.tier_header()?;
        if matches!(self.0.tiers, Tiers::Nobody) {
            self.0.no_tiers.once(|| {
                tracing::warn!(
                    policy = policy.name(),
                    "the rate limiter knows no API keys, so everybody is on the default tier: give it \
                     keys with RateLimiter::builder().tiers(…) or .tier_resolver(…), or a RedisStore to \
                     read them from"
                );
            });
        }
        let key = headers.get(header).and_then(ApiKey::from_header)?;
        match &self.0.tiers {
            Tiers::Static(tiers) => tiers.get(key),
            Tiers::Resolver(cache) => cache.get(key).await,
            Tiers::Nobody => None,
        }
    }

    /// Whose bucket it is.
    fn client(&self, key: Key, known: Option<&KnownCaller>, caller: Caller<'_>) -> ClientId {
        let named = match key {
            Key::Ip => None,
            Key::Global => Some(ClientId::EVERYBODY),
            Key::ApiKey => known.map(|known| known.client),
            Key::Header(name) => caller
                .headers
                .get(name)
                .filter(|value| !value.is_empty())
                .map(|value| ClientId::header(value.as_bytes())),
        };
        named.unwrap_or_else(|| self.client_by_ip(caller))
    }

    fn client_by_ip(&self, caller: Caller<'_>) -> ClientId {
        let Some(peer) = caller.peer else {
            self.0.no_peer.once(|| {
                tracing::warn!(
                    "the addresses of clients are not known, so all of them share one bucket: serve the app \
                     with app.into_make_service_with_connect_info::<std::net::SocketAddr>()"
                );
            });
            return ClientId::UNKNOWN_IP;
        };
        ClientId::ip(self.0.proxies.client_ip(peer, caller.headers))
    }

    async fn decide(&self, bucket: &Bucket, cost: u32) -> Decision {
        let Inner {
            store,
            local,
            outage,
            clock,
            ..
        } = &*self.0;
        if outage.may_ask(&**clock) {
            let charge = Charge {
                bucket: *bucket,
                cost,
                enforced: true,
            };
            match store.check_all(&[charge]).await {
                Ok(decisions) => {
                    outage.ended();
                    return decisions[0];
                }
                Err(error) => outage.began(&error, &**clock),
            }
        }
        local.decide_one(bucket, cost)
    }
}

impl Default for RateLimiter {
    /// A limiter that keeps its limits in memory and knows no API keys.
    fn default() -> Self {
        let store = MemoryStore::new();
        let clock = store.clock();
        Self(Arc::new(Inner::new(
            AnyStore::Memory(store),
            Tiers::Nobody,
            TrustedProxies::default(),
            clock,
        )))
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match &self.0.store {
            AnyStore::Memory(_) => "memory",
            #[cfg(feature = "redis")]
            AnyStore::Redis(_) => "redis",
            AnyStore::Custom(_) => "custom",
        };
        f.debug_struct("RateLimiter")
            .field("store", &store)
            .finish_non_exhaustive()
    }
}
