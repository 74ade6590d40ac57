//! Redis Cluster: the keys are spread over several servers.
//!
//! Each master and its hash slots are a shard, with connections and a circuit breaker of its own, so
//! that an outage of one shard costs the clients of the others nothing. A client's buckets are in one
//! shard, since the client is the hash tag of their keys.
//!
//! The redis crate's own client of a cluster is not used: it sends a command again when a connection
//! is lost before the answer, by which a request may be charged twice, and it connects only if all
//! servers answer.

mod cluster_shard;
mod discovery;
mod hash_slot;
mod node_address;
mod recovery;
mod redirection;
mod refresh;
mod retries;
mod routing;
mod slot_map;
mod topology;

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;

pub(super) use self::hash_slot::HashSlot;
use self::{
    cluster_shard::ClusterShard, node_address::NodeAddress, refresh::Refresh, topology::Topology,
};
use super::{
    RedisStore, RedisStoreBuilder,
    connection::{Address, Pool, Server},
    deployment::ServerSettings,
};
use crate::store::{breaker::Breaker, health::HealthRecord};

impl RedisStore {
    /// Connects to a Redis Cluster. It needs the feature `cluster`.
    ///
    /// One or more of its servers are given, by URLs as in [`connect`](Self::connect), with the same
    /// user and password. All of them are queried at once, and the first answer says which other
    /// servers there are, so a seed that is down or silent delays nothing while another one works.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::{RateLimiter, RedisStore};
    ///
    /// let redis = RedisStore::cluster(["redis://redis-1:6379", "redis://redis-2:6379"])
    ///     .connect()
    ///     .await?;
    /// RateLimiter::builder().store(redis).build()?.install()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Outages
    ///
    /// Each master and its hash slots are a shard, whose outage is one for its own clients only. The
    /// store follows when slots move to other servers and when a replica takes its master's place.
    /// [`RateLimiter::store_health`](crate::RateLimiter::store_health) is up if all shards are.
    ///
    /// # Several limits on one handler
    ///
    /// They are one atomic step if they have the same key: all of a client's buckets are in one hash
    /// slot. Limits with different keys, such as `key = ip` and `key = global`, are on different
    /// servers, where no step can take from both or from none; such a check is refused, which is
    /// logged, and its limits are kept as `on_store_error` says. Give them the same key, or make one
    /// of them a [`RateLimitLayer`](crate::RateLimitLayer), which is a check of its own.
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisStoreBuilder {
        let urls = urls.into_iter().map(Into::into).collect();
        RedisStoreBuilder::at(Address::cluster(urls))
    }
}

/// The shards of a cluster, and where to learn of them.
pub(super) struct Cluster {
    seeds: Vec<Server>,
    settings: ServerSettings,
    topology: ArcSwap<Topology<ClusterShard>>,
    /// Held while the topology is replaced.
    change: Mutex<()>,
    refresh: Refresh,
    record: HealthRecord,
    /// The breaker of the slots that have no shard.
    unserved: Breaker,
    name: String,
    this: Weak<Self>,
}

impl Cluster {
    /// Creates a cluster of which nothing is known yet but its seeds.
    pub(super) fn new(seeds: Vec<Server>, settings: ServerSettings) -> Arc<Self> {
        let addresses = seeds.iter().map(|seed| seed.address().to_string());
        let name = addresses.collect::<Vec<_>>().join(", ");
        let record = HealthRecord::new();
        Arc::new_cyclic(|this: &Weak<Self>| Self {
            seeds,
            settings,
            topology: ArcSwap::from_pointee(Topology::new()),
            change: Mutex::new(()),
            refresh: Refresh::default(),
            unserved: recovery::breaker_of_unserved(this, record.clone()),
            record,
            name,
            this: this.clone(),
        })
    }

    /// Returns hosts and ports of the seeds; no password is in it.
    pub(super) fn server(&self) -> &str {
        &self.name
    }

    /// Returns how long an answer is waited for.
    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Returns a breaker that shows the health of all shards.
    pub(super) fn breaker(&self) -> &Breaker {
        &self.unserved
    }

    /// Returns the connections to a master that is connected to, if there is one.
    pub(super) fn open_pool(&self) -> Option<Arc<Pool>> {
        let topology = self.topology.load();
        let mut pools = topology.shards().map(|shard| shard.pool());
        pools.find(|pool| pool.has_open_connection()).cloned()
    }

    /// Replaces the topology, unless it is right already, and returns it.
    fn change(
        &self,
        change: impl FnOnce(&Topology<ClusterShard>) -> Option<Topology<ClusterShard>>,
    ) -> Arc<Topology<ClusterShard>> {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = change(&self.topology.load()) {
            self.topology.store(Arc::new(next));
        }
        self.topology.load_full()
    }
}
