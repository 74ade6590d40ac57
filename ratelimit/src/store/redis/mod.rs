//! The Redis store: one atomic script call per check, shared by every process that asks.
//!
//! Each algorithm is a Lua script in `scripts/`. It reads the bucket's state, decides, writes, and
//! returns the time and the state that it found; from these the same arithmetic that every store
//! uses works out what to tell the client. The time is the Redis server's, so that the processes'
//! clocks need not agree.

mod batch;
mod bypass;
mod call;
mod capabilities;
#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod deployment;
mod fleet;
mod lease;
mod persistence;
mod probe;
mod reply;
mod run;
mod scripts;
mod shard;
mod tiers;

use std::{fmt, sync::Arc, time::Duration};

use redis::{Pipeline, RedisError, Value};

use self::{
    connection::Address,
    deployment::{Deployment, ServerSettings},
    lease::Leases,
    run::Run,
    scripts::Scripts,
    shard::{Shard, TimeLimit},
};
pub use self::{
    connection::{ConnectError, RedisCredentials},
    tiers::RedisTiers,
};
use super::{
    Bucket, Charge, Decisions, FleetStore, Store, StoreError, StoreHealth, SyncCheck, TierStore,
};
use crate::{algorithm::Decision, budget::Budget, clock::Clock, foreign_text::Explanation};

/// Another process may have refunded the client, or an operator may have reset it: after this time
/// Redis is asked again.
const REJECTION_TTL: Duration = Duration::from_secs(1);

/// Keeps the state of buckets in Redis (6.2 or newer) or Valkey, shared by all processes.
///
/// A check is one round trip and one atomic script. On a connection that is busy, those that come
/// meanwhile are decided in one call, each by itself. Every key expires when it says nothing any
/// more, within ten seconds. Its clones are the same store, with the same connections.
///
/// ```no_run
/// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
/// use ratelimit::{RateLimiter, RedisStore};
///
/// let redis = RedisStore::connect("redis://127.0.0.1:6379").await?;
/// RateLimiter::builder().store(redis).build()?.install()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    deployment: Deployment,
    scripts: Arc<Scripts>,
    prefix: Arc<str>,
    tier_prefix: Arc<str>,
    leases: Arc<Leases>,
    clock: Option<Arc<dyn Clock>>,
}

/// How to connect to Redis; see [`RedisStore::builder`].
#[derive(Clone)]
pub struct RedisStoreBuilder {
    address: Address,
    prefix: String,
    tier_prefix: String,
    connections: usize,
    timeout: Duration,
    connect_timeout: Duration,
    leases: bool,
    clock: Option<Arc<dyn Clock>>,
}

impl RedisStore {
    /// Connects to the Redis at this URL:
    ///
    /// | | |
    /// | --- | --- |
    /// | `redis://host` | port 6379, database 0 |
    /// | `redis://host:port/2` | another port, another database |
    /// | `redis://:password@host` | the password that the server asks everybody for |
    /// | `redis://user:password@host` | a user of the server's access control list |
    /// | `rediss://host` | encrypted with TLS; any of the above. It needs the feature `tls` |
    /// | `redis+unix:///path` | a Unix socket |
    /// | `redis+unix:///path?db=2&user=web&pass=secret` | with database, user and password |
    ///
    /// In user and password, what means something else in a URL is percent-encoded: `p%40ss` for
    /// `p@ss`. What the user must be allowed to do is in [the crate's
    /// documentation](crate#redis-in-production).
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, no connection is open within two seconds, or the
    /// server takes no writes or lets the user do less than it needs. No password is in the error.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::builder(url).connect().await
    }

    /// Connects to the Redis at this URL, with other than the usual settings.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::at(Address::new(url))
    }

    /// The tiers of API keys, read through the same connections. It is what a limiter with this
    /// store asks if it is given no other resolver.
    pub fn tiers(&self) -> RedisTiers {
        RedisTiers::new(self.deployment.clone(), self.tier_prefix.clone())
    }
}

impl RedisStoreBuilder {
    /// What the names of all keys begin with; `ratelimit:` if not set. It has no braces: in Redis
    /// Cluster these are around the part of a name that its place goes by.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets what the names of the hashes begin with that hold the tiers of API keys; `api_key:` by
    /// default. With `shop:key:` the tier of `k-alice` is the field `tier` of the hash
    /// `shop:key:k-alice`: for applications that share a database, and have other hashes under
    /// `api_key:`. It is not empty, and has no braces.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::RedisStore;
    ///
    /// let builder = RedisStore::builder("redis://127.0.0.1:6379");
    /// let redis = builder.tier_prefix("shop:key:").connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tier_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.tier_prefix = prefix.into();
        self
    }

    /// Sets how many connections the checks are spread over, each of which carries any number of them
    /// at once; 4 by default. After an outage the first one that is open is used at once, while the
    /// others are opened.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets how long a check waits for Redis; 100 ms by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long it may take to open a connection; 2 s by default. That is all of its steps
    /// together: the answers of sentinels or of the [credentials provider](Self::credentials), the
    /// connection, the login, and the probe of what the server can do.
    ///
    /// A check does not wait longer for a connection than its own [`timeout`](Self::timeout). During an
    /// outage a new attempt begins twice a second, whether or not the one before has ended.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Leases every policy that does not say otherwise ([`Policy::with_strict`]): where there is much
    /// to do, a process takes requests out of a bucket several at a time, and admits them without
    /// asking for each. See [leases](crate#leases) for what that means; if this is not called, only
    /// policies are leased that say so ([`Policy::with_lease`]).
    ///
    /// [`Policy::with_strict`]: crate::Policy::with_strict
    /// [`Policy::with_lease`]: crate::Policy::with_lease
    #[must_use]
    pub fn leases(mut self) -> Self {
        self.leases = true;
        self
    }

    /// Counts in the time of this clock instead of the Redis server's, for tests that need not wait.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Connects, and checks that the server does what a check needs: it takes writes and runs the
    /// scripts.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, a setting cannot work, no connection is open within
    /// the [`connect_timeout`](Self::connect_timeout), or the server takes no writes or lets the user
    /// do less than it needs. No password is in the error.
    pub async fn connect(self) -> Result<RedisStore, ConnectError> {
        let store = self.store()?;
        let deployment = &store.deployment;
        let connected = deployment.connect().await;
        connected.map_err(|reason| ConnectError::Connect {
            server: deployment.server().to_owned(),
            reason,
        })?;
        deployment.warn_if_not_persistent().await;
        Ok(store)
    }

    /// Connects in the background, so that an application starts without Redis. Until it answers,
    /// limits are kept as during an outage. Outside of a tokio runtime the first check connects.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL cannot be read, or a setting cannot work.
    pub fn connect_lazily(self) -> Result<RedisStore, ConnectError> {
        let store = self.store()?;
        store.deployment.connect_lazily();
        Ok(store)
    }
}

impl RedisStoreBuilder {
    fn at(address: Address) -> Self {
        Self {
            address,
            prefix: "ratelimit:".to_owned(),
            tier_prefix: "api_key:".to_owned(),
            connections: 4,
            timeout: Duration::from_millis(100),
            connect_timeout: Duration::from_secs(2),
            leases: false,
            clock: None,
        }
    }

    fn store(self) -> Result<RedisStore, ConnectError> {
        self.check()?;
        let scripts = Arc::new(Scripts::new());
        let probe = {
            let (scripts, prefix) = (scripts.clone(), self.prefix.clone());
            let clock = self.clock.clone();
            move |tag: &str| {
                let now = clock.as_ref().map(Clock::now_micros);
                probe::new(&scripts, &prefix, tag, now)
            }
        };
        let settings = ServerSettings {
            connections: self.connections,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            probe: Arc::new(probe),
        };
        Ok(RedisStore {
            deployment: Deployment::new(&self.address, settings, &self.prefix)?,
            scripts,
            prefix: self.prefix.into(),
            tier_prefix: self.tier_prefix.into(),
            leases: Arc::new(Leases::new(self.leases, self.clock.clone())),
            clock: self.clock,
        })
    }

    fn check(&self) -> Result<(), ConnectError> {
        let problem = if self.connections == 0 {
            "connections must be at least 1"
        } else if self.timeout.is_zero() {
            "timeout must be longer than zero, or no check would ever get an answer"
        } else if self.connect_timeout.is_zero() {
            "connect_timeout must be longer than zero, or no connection would ever come about"
        } else if self.prefix.contains(['{', '}']) {
            "prefix must have no braces: Redis Cluster would place all keys by what is between them"
        } else if self.tier_prefix.contains(['{', '}']) {
            "tier_prefix must have no braces: Redis Cluster would place all keys by what is between them"
        } else if self.tier_prefix.is_empty() {
            "tier_prefix must not be empty: a request could then name any key of the database; leave it out for `api_key:`"
        } else {
            return Ok(());
        };
        Err(ConnectError::Setting(problem))
    }
}

impl RedisStore {
    /// Starts the budget of one operation.
    fn budget(&self) -> Budget {
        self.deployment.budget()
    }

    fn run(&self, limit: impl Into<TimeLimit>) -> Run<'_> {
        Run {
            store: self,
            limit: limit.into(),
            now: self.clock.as_ref().map(Clock::now_micros),
        }
    }

    /// A key that is no bucket's. All of these are together in a cluster.
    fn fleet_key(&self, name: &str) -> String {
        format!("{}{{fleet}}:{name}", self.prefix)
    }

    /// Sends what is no check. During an outage it is not sent, and where there are no checks it is
    /// by this that an outage is seen.
    async fn send_aside(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let failed = |shard: &Shard, error: &RedisError| {
            if is_refusal(error) {
                StoreError::refused(Explanation(connection::reason(error)))
            } else {
                shard.pool.failed(error)
            }
        };
        let key = self.fleet_key("");
        let deployment = &self.deployment;
        let sent = deployment.send_all(key.as_bytes(), commands, deployment.budget(), failed);
        sent.await
    }

    /// Of several buckets, with no detour for one.
    pub(crate) async fn decide(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        match charges {
            [Charge { bucket, cost, .. }] => {
                let decision = self.check_one(bucket, *cost, deadline).await?;
                Ok(Decisions::from_buf([decision]))
            }
            several => self.check_several(several, deadline).await,
        }
    }
}

/// Returns whether a server that answers checks may answer this to other commands: it does not let the
/// user run them, does not have them, or the key holds something else.
fn is_refusal(error: &RedisError) -> bool {
    let is_unknown_command = || error.to_string().contains("unknown command");
    match error.code() {
        Some("NOPERM" | "WRONGTYPE" | "INVALIDOBJ") => true,
        Some("ERR") => is_unknown_command(),
        _ => false,
    }
}

impl Store for RedisStore {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        Ok(self.decide(charges, self.budget()).await?.into_vec())
    }

    async fn check(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        // Before anything that only a question to Redis needs.
        if let Some(decision) = self.spend(bucket, cost) {
            return Ok(decision);
        }
        // Boxed, or each check out of a slice would carry the room for a question.
        Box::pin(self.check_one(bucket, cost, self.budget())).await
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        let books = self.leases.books(bucket);
        let run = self.run(self.budget());
        run.charge(&books, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.refund_one(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.drop_slice(bucket);
        let books = self.leases.books(bucket);
        let run = self.run(self.budget());
        run.reset(&books).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.deployment.probe().await
    }

    fn timeout(&self) -> Duration {
        self.deployment.timeout()
    }

    async fn check_all_within(
        &self,
        charges: &[Charge],
        budget: Budget,
    ) -> Result<Vec<Decision>, StoreError> {
        Ok(self.decide(charges, budget).await?.into_vec())
    }

    fn health(&self) -> Option<StoreHealth> {
        Some(self.deployment.breaker().health())
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.clock.clone()
    }

    fn rejection_ttl(&self) -> Duration {
        REJECTION_TTL
    }

    fn sync_check(&self) -> Option<&impl SyncCheck> {
        self.has_slices().then_some(self)
    }

    async fn give_back_leases(&self) {
        Self::give_back_leases(self).await;
    }

    fn tier_store(&self) -> Option<impl TierStore> {
        Some(self.tiers())
    }

    fn fleet_store(&self) -> Option<impl FleetStore> {
        Some(self.clone())
    }

    fn name(&self) -> &'static str {
        "redis"
    }

    /// Returns host and port, without a password.
    fn server(&self) -> Option<&str> {
        Some(self.deployment.server())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &self.deployment.server())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the address: it may hold a password or a key.
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("connections", &self.connections)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
