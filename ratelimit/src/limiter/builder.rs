//! From settings to a limiter, or to an error that says which setting is wrong.

use std::{env, fmt, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    BuildError, HeaderStyle, Mode, RateLimiter, Settings, Tiers,
    address_settings::AddressSettings,
    build_error::MAX_UNKNOWN_KEYS,
    clock_of,
    host_key::HostSettings,
    namesakes::Namesakes,
    secrets::{LONGEST, SHORTEST, Secrets},
};
#[cfg(feature = "redis")]
use crate::store::redis::RedisStore;
use crate::{
    client::{CacheSettings, ClientDigests, LookUpQuotas, StaticTiers, TierCache, TierResolver},
    clock::Clock,
    policy::{OnStoreError, PolicyEntry, registry},
    store::{AnyStore, MemoryStore, Store},
};

/// The settings of a limiter; see [`RateLimiter::builder`].
#[must_use = "it does nothing until build() is called"]
#[derive(Default)]
pub struct Builder {
    store: Option<AnyStore>,
    tiers: TierSetting,
    tier_ttl: Option<(Duration, Duration)>,
    tier_cache_capacity: Option<usize>,
    unknown_keys_per_minute: Option<u32>,
    pub(super) addresses: AddressSettings,
    hosts: HostSettings,
    sources: Vec<&'static PolicyEntry>,
    secrets: Vec<String>,
    secret_header: Option<HeaderName>,
    digest_secret: Option<String>,
    on_store_error: OnStoreError,
    headers: HeaderStyle,
    mode: Mode,
}

#[derive(Default)]
enum TierSetting {
    /// The store's own tiers, if it has any.
    #[default]
    FromStore,
    Static(StaticTiers),
    Resolver(MakeCache),
}

/// The store's own timeout of a look-up, which its circuit breaker must see, ends this much before that
/// of the request that waits for it.
const GRACE: Duration = Duration::from_millis(10);

/// Puts a cache before a resolver, once its settings are known.
type MakeCache = Box<dyn FnOnce(CacheSettings, Arc<dyn Clock>) -> TierCache + Send>;

impl Builder {
    /// Sets the store that keeps the state of the limits: a [`MemoryStore`] (the default), a
    /// `RedisStore`, or a [`Store`] of your own. Behind an [`Arc`], for an application that keeps a
    /// handle to it, a store behaves as it does by itself.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(AnyStore::new(store));
        self
    }

    /// API keys and their tiers, in a table.
    pub fn tiers(mut self, tiers: StaticTiers) -> Self {
        self.tiers = TierSetting::Static(tiers);
        self
    }

    /// Sets the source of the tiers of API keys. By default it is the [tiers that the store
    /// has](crate::Store::tier_store), if it has any, as a `RedisStore` does.
    pub fn tier_resolver(mut self, resolver: impl TierResolver) -> Self {
        self.tiers = TierSetting::Resolver(Box::new(|settings, clock| {
            TierCache::new(resolver, settings, clock)
        }));
        self
    }

    /// How long the tier of a key is gone by before it is asked for again, and how long it is
    /// remembered that a key is unknown; 30 and 5 seconds if not set.
    pub fn tier_ttl(mut self, known: Duration, unknown: Duration) -> Self {
        self.tier_ttl = Some((known, unknown));
        self
    }

    /// How many keys' tiers are remembered; 50,000 if not set.
    pub fn tier_cache_capacity(mut self, keys: usize) -> Self {
        self.tier_cache_capacity = Some(keys);
        self
    }

    /// Sets how many unknown API keys each client address may have looked up at once, and how many more
    /// each minute; from 1 to 1,000,000. The default is 60.
    ///
    /// A client that sends random keys then does not cause a look-up for each request. Only keys that the
    /// resolver does not know are charged; a look-up that fails is charged for one second, and one that the
    /// client cancels is charged as that of an unknown key. Once an address has used up its budget, its new
    /// keys are not looked up and their callers are anonymous, which is logged and counted in
    /// `ratelimit_tier_lookups_total` as `throttled`. A key that this process has found to be known
    /// continues to work, also from that address.
    ///
    /// No more look-ups than that are in flight for an address. Further callers with new keys wait for one
    /// of them to end, for as long as a look-up may take: raise the number for a gateway that calls with
    /// hundreds of keys at once.
    ///
    /// Addresses are told apart as in [`ClientId::ip`](crate::ClientId::ip). If they are unknown, all
    /// clients share one budget; if they are a proxy's, so do all clients behind it: set
    /// [`trusted_proxies`](Self::trusted_proxies). The budget is kept by each process, for up to 10,000
    /// addresses.
    ///
    /// The budget bounds look-ups, and with them guesses at keys that the process has not seen. The keys of
    /// a [table](Self::tiers), and those that are cached, are found without a look-up. So keys should be as
    /// hard to guess as a password: `openssl rand -hex 16` makes one.
    ///
    /// ```
    /// use ratelimit::{ApiKey, KnownKey, RateLimiter, ResolveError, TierResolver};
    ///
    /// # struct Accounts;
    /// # impl TierResolver for Accounts {
    /// #     async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
    /// #         Ok(None)
    /// #     }
    /// # }
    /// let limiter = RateLimiter::builder()
    ///     .tier_resolver(Accounts)
    ///     .unknown_keys_per_minute(10)
    ///     .build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn unknown_keys_per_minute(mut self, keys: u32) -> Self {
        self.unknown_keys_per_minute = Some(keys);
        self
    }

    /// Sets the hosts that are believed if a policy has the key `host` ([`Key::Host`]): the names that
    /// the application is reached by. A second call adds to them.
    ///
    /// A request to any other host, to none, or to one that is ambiguous (several `Host` lines, in HTTP/2
    /// one that differs from `:authority`) is keyed by the client's IP address. `X-Forwarded-Host` is not
    /// read: a proxy in front must pass `Host` on, as nginx does with `proxy_set_header Host $host`.
    ///
    /// A host is a name such as `shop.example.com`, an address, or `*.example.com` for all names that are
    /// one label longer than `example.com`, as in a certificate. Neither upper case, a dot at the end nor
    /// the port of a request matters. A wildcard has as many buckets as a client can make up names: use
    /// it only if a proxy in front lets no names pass but those of your tenants. Hosts that no policy
    /// uses have no effect.
    ///
    /// By default no host is believed, and [`build`](Self::build) returns an error if a handler or a
    /// [`policy!`](crate::policy!) of the program has the key `host`.
    ///
    /// ```standalone_crate
    /// use ratelimit::{RateLimiter, rate_limit};
    ///
    /// // Each tenant for itself, and within it each address.
    /// #[rate_limit(limit = 60, key = (host, ip))]
    /// async fn page() {}
    ///
    /// let refused = RateLimiter::builder().build().expect_err("which hosts?").to_string();
    /// assert!(refused.contains("::page") && refused.contains(".hosts(["));
    ///
    /// let limiter = RateLimiter::builder()
    ///     .hosts(["shop.example.com", "blog.example.com"])
    ///     .build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    ///
    /// [`Key::Host`]: crate::Key::Host
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let listed = self.hosts.listed.get_or_insert_default();
        listed.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Believes each host that a request names, in place of a list of [`hosts`](Self::hosts).
    ///
    /// A client that reaches the application directly then chooses its bucket. It is for applications
    /// behind a proxy that lets no other hosts pass than those of the tenants.
    pub fn any_host(mut self) -> Self {
        self.hosts.is_any = true;
        self
    }

    /// Requests with this secret in the header `X-RateLimit-Bypass` are not limited: for an
    /// emergency, and for whoever has to work through one. Each use is counted as
    /// [`bypassed`](crate::Totals::bypassed), and logged at most once a second with the number of those
    /// that were left out.
    ///
    /// It is 32 to 512 bytes long, as `openssl rand -hex 32` makes them. A second call adds a
    /// second one, so that a new one can be handed out before the old one is taken away. A request that
    /// has the header several times, with different values, is limited.
    pub fn bypass_secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// The header with that secret, instead of `X-RateLimit-Bypass`.
    pub fn bypass_header(mut self, header: HeaderName) -> Self {
        self.secret_header = Some(header);
        self
    }

    /// Sets the secret with which log lines name clients: in them API keys, identities and all other
    /// clients but addresses are [`client_digest`](RateLimiter::client_digest)s, HMAC-SHA-256 with this
    /// secret. Without it a reader of the log cannot check whether a name that they guess, such as an
    /// email address, is in the log.
    ///
    /// Processes with the same secret name a client in the same way. If it is not set, each process makes
    /// a random one when it starts: a client can then be followed through the log of one process.
    ///
    /// It is 32 to 512 bytes long, as `openssl rand -hex 32` makes them. The names of keys in Redis do
    /// not depend on it: there clients are [`ClientId`](crate::ClientId)s.
    ///
    /// ```
    /// use ratelimit::{ClientId, RateLimiter};
    ///
    /// # let secret = "0123456789abcdef0123456789abcdef";
    /// let limiter = RateLimiter::builder().client_digest_secret(secret).build()?;
    /// let alice = ClientId::identity(b"alice@example.com");
    /// assert!(limiter.client_digest(alice).starts_with("identity:hmac:"));
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn client_digest_secret(mut self, secret: impl Into<String>) -> Self {
        self.digest_secret = Some(secret.into());
        self
    }

    /// What happens to requests while the store cannot be asked, where their policy does not say;
    /// [`OnStoreError::Local`] if not set.
    pub fn on_store_error(mut self, on_store_error: OnStoreError) -> Self {
        self.on_store_error = on_store_error;
        self
    }

    /// Which headers tell clients where they stand; [`HeaderStyle::XRateLimit`] if not set.
    pub fn headers(mut self, headers: HeaderStyle) -> Self {
        self.headers = headers;
        self
    }

    /// Counts nothing, for the benchmark that says what counting costs.
    #[doc(hidden)]
    pub fn unobserved(mut self) -> Self {
        self.mode = Mode::Unobserved;
        self
    }

    /// A limiter for tests: what it decides is looked for in each response, and two policies may have
    /// one name if it is asked about one of them only.
    pub(crate) fn for_tests(mut self) -> Self {
        self.mode = Mode::ForTests;
        self
    }

    /// Adds the policies of a source that is written by hand to those that are checked by
    /// [`build`](Self::build).
    pub(crate) fn with_source(mut self, source: &'static PolicyEntry) -> Self {
        self.sources.push(source);
        self
    }

    /// Builds the limiter.
    ///
    /// # Errors
    ///
    /// A setting is wrong, or has no effect without another.
    pub fn build(self) -> Result<RateLimiter, BuildError> {
        let mut declared = registry::declared();
        declared.extend(self.sources);
        let namesakes = Namesakes::new(&declared);
        if self.mode != Mode::ForTests {
            namesakes.check()?;
        }
        let store = self
            .store
            .unwrap_or_else(|| AnyStore::new(MemoryStore::new()));
        let clock = clock_of(&store);

        let set_up = self.tier_ttl.is_some()
            || self.tier_cache_capacity.is_some()
            || self.unknown_keys_per_minute.is_some();
        let settings = CacheSettings {
            quotas: look_up_quotas(self.unknown_keys_per_minute)?,
            ..cache_settings(self.tier_ttl, self.tier_cache_capacity)?
        };
        let tiers = match self.tiers {
            TierSetting::Static(tiers) => Tiers::Static(tiers),
            TierSetting::Resolver(make) => Tiers::Resolver(make(settings, clock.clone())),
            TierSetting::FromStore => match store.tiers() {
                Some(tiers) => {
                    let timeout = store.timeout().saturating_add(GRACE);
                    let settings = CacheSettings {
                        timeout,
                        ..settings
                    };
                    Tiers::InStore(TierCache::new(tiers, settings, clock.clone()))
                }
                None => Tiers::Nobody,
            },
        };
        if set_up && matches!(tiers, Tiers::Nobody | Tiers::Static(_)) {
            return Err(BuildError::CacheWithoutResolver);
        }

        let hosts = self.hosts.check()?;
        if self.mode != Mode::ForTests {
            hosts.check_for(declared)?;
        }
        let digests = match self.digest_secret {
            Some(secret) if !(SHORTEST..=LONGEST).contains(&secret.len()) => {
                return Err(BuildError::ClientDigestSecret(secret.len()));
            }
            Some(secret) => ClientDigests::with_secret(&secret),
            None => ClientDigests::default(),
        };
        Ok(RateLimiter::new(Settings {
            digests,
            store,
            clock,
            on_store_error: self.on_store_error,
            tiers,
            addresses: self.addresses.check()?,
            hosts,
            secrets: Secrets::of(self.secret_header, &self.secrets)?,
            headers: self.headers,
            mode: self.mode,
            namesakes,
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither store nor keys: they may hold secrets.
        f.debug_struct("Builder")
            .field("tier_ttl", &self.tier_ttl)
            .field("tier_cache_capacity", &self.tier_cache_capacity)
            .field("unknown_keys_per_minute", &self.unknown_keys_per_minute)
            .field("addresses", &self.addresses)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// A limiter as the environment says: with `REDIS_URL` set, its state and the tiers of API keys
    /// are in that Redis; without, limits are kept in memory.
    ///
    /// # Errors
    ///
    /// `REDIS_URL` cannot be read, or nobody answers there.
    pub async fn from_env() -> Result<Self, BuildError> {
        Self::builder().store_from_env().await?.build()
    }
}

impl Builder {
    /// With `REDIS_URL` set, keeps state in that Redis; without, changes nothing.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::RateLimiter;
    ///
    /// RateLimiter::builder()
    ///     .trusted_proxies(["10.0.0.0/8"])
    ///     .store_from_env()
    ///     .await?
    ///     .build()?
    ///     .install()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `REDIS_URL` cannot be read, or nobody answers there.
    #[cfg(feature = "redis")]
    pub async fn store_from_env(self) -> Result<Self, BuildError> {
        match redis_url()? {
            Some(url) => Ok(self.store(RedisStore::connect(&url).await?)),
            None => Ok(self),
        }
    }

    /// With `REDIS_URL` set it is an error, since this crate was built without Redis; without,
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// `REDIS_URL` is set.
    #[cfg(not(feature = "redis"))]
    #[expect(
        clippy::unused_async,
        reason = "the same signature with and without Redis"
    )]
    pub async fn store_from_env(self) -> Result<Self, BuildError> {
        match redis_url()? {
            Some(_) => Err(BuildError::WithoutRedis),
            None => Ok(self),
        }
    }
}

fn redis_url() -> Result<Option<String>, BuildError> {
    match env::var("REDIS_URL") {
        // Set to nothing is how some environments say "not set".
        Ok(url) => Ok((!url.is_empty()).then_some(url)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(BuildError::RedisUrlNotUnicode),
    }
}

fn cache_settings(
    ttl: Option<(Duration, Duration)>,
    capacity: Option<usize>,
) -> Result<CacheSettings, BuildError> {
    let mut settings = CacheSettings::default();
    if let Some((known, unknown)) = ttl {
        settings.known_for = known;
        settings.unknown_for = unknown;
    }
    match capacity {
        Some(0) => return Err(BuildError::EmptyCache),
        Some(capacity) => settings.capacity = capacity,
        None => {}
    }
    Ok(settings)
}

fn look_up_quotas(unknown_per_minute: Option<u32>) -> Result<LookUpQuotas, BuildError> {
    match unknown_per_minute {
        None => Ok(LookUpQuotas::DEFAULT),
        Some(keys) if keys > MAX_UNKNOWN_KEYS => Err(BuildError::UnknownKeysPerMinute(keys)),
        Some(keys) => {
            let quotas = LookUpQuotas::per_minute(keys);
            quotas.map_err(|_| BuildError::UnknownKeysPerMinute(keys))
        }
    }
}
