//! One shard of a cluster: a master, the connections to it, and the health of its hash slots.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::{
    super::{
        connection::{Placement, PlacementProbe, Pool, PoolSettings, Probe, Target},
        shard::Shard,
    },
    Cluster, HashSlot, NodeAddress, recovery,
    topology::{Shards, Topology},
};
use crate::store::breaker::Breaker;

/// A master and the connections to it. When a replica takes its place, there is another value with
/// the same identity and the same breaker.
pub(super) struct ClusterShard {
    id: Arc<ShardId>,
    master: NodeAddress,
    shard: Shard,
}

/// What stays of a shard when its master changes.
#[derive(Default)]
pub(super) struct ShardId {
    /// Whether commands were sent there for slots that it is about to get.
    is_importing: AtomicBool,
    /// How many probes there were.
    probes: AtomicUsize,
}

impl ClusterShard {
    pub(super) fn master(&self) -> &NodeAddress {
        &self.master
    }

    pub(super) fn shard(&self) -> &Shard {
        &self.shard
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.shard.pool
    }

    pub(super) fn breaker(&self) -> &Breaker {
        &self.shard.breaker
    }

    /// Notes that the shard is used for slots that it is about to get.
    pub(super) fn note_import(&self) {
        self.id.is_importing.store(true, Ordering::Relaxed);
    }
}

impl Cluster {
    /// Returns the shard of this identity, unless its slots have gone to others.
    pub(super) fn shard_of(&self, id: &Arc<ShardId>) -> Option<Arc<ClusterShard>> {
        let topology = self.topology.load();
        let mut shards = topology.shards();
        shards.find(|shard| Arc::ptr_eq(&shard.id, id)).cloned()
    }

    /// Creates the connections to a master, which are opened in the background.
    fn pool(&self, id: &Arc<ShardId>, master: &NodeAddress) -> Arc<Pool> {
        let probe = {
            let (cluster, id) = (self.this.clone(), id.clone());
            move || probe(&cluster, &id)
        };
        let settings = PoolSettings {
            connections: self.settings.connections,
            timeout: self.settings.timeout,
            probe: Box::new(probe),
            placement: PlacementProbe::known(Placement::ByClient),
        };
        let server = master.like(&self.seeds[0]);
        let target = Target::to_server(server, self.settings.connect_timeout);
        let pool = Pool::new(target, settings);
        pool.open_in_background();
        pool
    }
}

impl Shards<ClusterShard> for Cluster {
    fn create(&self, master: &NodeAddress) -> Arc<ClusterShard> {
        let id = Arc::new(ShardId::default());
        let breaker = {
            let (cluster, id) = (self.this.clone(), id.clone());
            let probe = move || recovery::probe_shard(cluster.clone(), id.clone());
            Breaker::of_shard(self.record.clone(), Some(master.to_string()), probe)
        };
        let pool = self.pool(&id, master);
        Arc::new(ClusterShard {
            id,
            master: master.clone(),
            shard: Shard { pool, breaker },
        })
    }

    fn replace_master(&self, shard: &ClusterShard, master: &NodeAddress) -> Arc<ClusterShard> {
        let breaker = shard.breaker().clone();
        breaker.set_server(master.to_string());
        Arc::new(ClusterShard {
            id: shard.id.clone(),
            master: master.clone(),
            shard: Shard {
                pool: self.pool(&shard.id, master),
                breaker,
            },
        })
    }

    fn keep(&self, shard: &ClusterShard) -> bool {
        shard.id.is_importing.swap(false, Ordering::Relaxed)
    }
}

/// Returns what the master of a shard has to answer: commands with keys of one of its slots, each
/// time of another one, since keys of a slot that is being moved may be elsewhere. Returns `None` for a
/// master that has no slots.
fn probe(cluster: &Weak<Cluster>, id: &Arc<ShardId>) -> Option<Probe> {
    let cluster = cluster.upgrade()?;
    let shard = cluster.shard_of(id)?;
    let nth = id.probes.fetch_add(1, Ordering::Relaxed);
    let tag = hash_tag(&cluster.topology.load(), &shard, nth)?;
    Some((cluster.settings.probe)(&tag))
}

/// Returns a hash tag whose slot the shard has, if it has one: the n-th of a few.
fn hash_tag(topology: &Topology<ClusterShard>, shard: &ClusterShard, nth: usize) -> Option<String> {
    /// How many there are to choose from.
    const CHOICE: usize = 16;

    let choice = topology.slots_of(shard).take(CHOICE).count();
    // As many tags are tried as there are slots for each that the shard has, on average.
    (0..u32::MAX)
        .map(|n| format!("probe-{n}"))
        .filter(|tag| {
            let owner = topology.owner(HashSlot::of(tag.as_bytes()));
            owner.is_some_and(|owner| Arc::ptr_eq(&owner.id, &shard.id))
        })
        .nth(nth.checked_rem(choice)?)
}
