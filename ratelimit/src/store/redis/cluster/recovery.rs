//! How a cluster is connected to, and how a shard that is out is found again.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use redis::RedisError;
use tokio::{task::JoinSet, time::Instant};

use super::{
    super::connection::{Server, no_answer_within, reason},
    Cluster,
    cluster_shard::{ClusterShard, ShardId},
    discovery::{Discovery, Source, discover},
};
use crate::{
    budget::Budget,
    store::{StoreError, breaker::Breaker, health::HealthRecord},
};

/// How long the other shards have to connect when the first has. Those that take longer are connected
/// to in the background.
const GRACE: Duration = Duration::from_millis(250);

impl Cluster {
    /// Connects to the shards that answer: to one at least. Returns why there is none.
    pub(in super::super) async fn connect(&self) -> Result<(), String> {
        let budget = Budget::start(self.settings.connect_timeout);
        let mut seeds: Vec<Source> = self.seeds().collect();
        let mut failed = None;
        loop {
            let Discovery { map, source } = match discover([seeds.clone()], budget).await {
                Ok(discovery) => discovery,
                Err(error) => return Err(failed.unwrap_or_else(|| self.reason(error.as_ref()))),
            };
            self.apply(&map);
            match self.open_shards(budget).await {
                Ok(()) => return Ok(()),
                // That server may be cut off from the others, and have a map that is old.
                Err(reason) => failed = Some(reason),
            }
            seeds.retain(|seed| seed.address().as_ref() != Some(&source));
        }
    }

    /// Opens connections to all shards. Returns an error if there is none to any.
    async fn open_shards(&self, budget: Budget) -> Result<(), String> {
        let begin = Instant::now();
        let shards: Vec<_> = self.topology.load().shards().cloned().collect();
        let mut renewals = JoinSet::new();
        for (index, shard) in shards.iter().cloned().enumerate() {
            renewals.spawn(async move { (index, shard.pool().connect().await) });
        }
        let mut is_open = vec![false; shards.len()];
        let mut failed = None;
        let mut limit = budget;
        // Ends when all have ended, or in time.
        while let Ok(Some(ended)) = limit.run(renewals.join_next()).await {
            match ended {
                Ok((index, Ok(()))) => {
                    is_open[index] = true;
                    // Servers far away take as long as the first did.
                    limit = limit.min(Budget::start(GRACE.max(begin.elapsed())));
                }
                // The addresses that the servers give each other may not be those in the URLs.
                Ok((index, Err(reason))) => {
                    failed = Some(format!("its server {}: {reason}", shards[index].master()));
                }
                // The task has panicked, or its runtime ends.
                Err(_) => {}
            }
        }
        if !is_open.contains(&true) {
            return Err(failed.unwrap_or_else(|| self.reason(None)));
        }
        let late = shards.iter().zip(is_open).filter(|(_, is_open)| !is_open);
        for (shard, _) in late {
            shard.breaker().open_until_answered();
        }
        Ok(())
    }

    /// Checks that each shard answers.
    pub(in super::super) async fn probe(&self) -> Result<(), StoreError> {
        probe_unserved(self.this.clone()).await?;
        let shards: Vec<_> = self.topology.load().shards().cloned().collect();
        for shard in shards {
            renew(&shard).await?;
        }
        Ok(())
    }

    /// Returns what to say of servers that did not say where slots are.
    pub(super) fn reason(&self, error: Option<&RedisError>) -> String {
        error.map_or_else(
            || {
                let addresses = self.seeds.iter().map(Server::address);
                no_answer_within(self.settings.connect_timeout, addresses)
            },
            reason,
        )
    }
}

/// Creates the breaker of the slots that have no shard. Its probe looks for the shards.
pub(super) fn breaker_of_unserved(cluster: &Weak<Cluster>, record: HealthRecord) -> Breaker {
    let cluster = cluster.clone();
    Breaker::of_shard(record, None, move || probe_unserved(cluster.clone()))
}

/// Checks that each slot has a shard.
async fn probe_unserved(cluster: Weak<Cluster>) -> Result<(), StoreError> {
    let Some(cluster) = cluster.upgrade() else {
        return Ok(());
    };
    let refreshed = cluster.refresh().await;
    if cluster.topology.load().is_complete() {
        return Ok(());
    }
    Err(cluster.unserved(
        &refreshed
            .err()
            .unwrap_or_else(|| "there are hash slots that no server has".to_owned()),
    ))
}

/// Checks that a shard answers, at its present master or, if another server has taken that one's
/// place, there. Both are tried at once, since either may be silent for as long as it is waited for.
pub(super) async fn probe_shard(
    cluster: Weak<Cluster>,
    id: Arc<ShardId>,
) -> Result<(), StoreError> {
    let Some(cluster) = cluster.upgrade() else {
        return Ok(());
    };
    // A shard that is no more has no outage: others have its slots.
    let Some(before) = cluster.shard_of(&id) else {
        return Ok(());
    };
    let at_master = renew(&before);
    let at_next_master = async {
        // If no server answers, there is no other master.
        let _ = cluster.refresh().await;
        match cluster.shard_of(&id) {
            None => Some(Ok(())),
            Some(now) if now.master() != before.master() => Some(renew(&now).await),
            Some(_) => None,
        }
    };
    tokio::pin!(at_master, at_next_master);
    tokio::select! {
        answer = &mut at_master => match answer {
            Ok(()) => Ok(()),
            Err(error) => at_next_master.await.unwrap_or(Err(error)),
        },
        answer = &mut at_next_master => match answer {
            Some(answer) => answer,
            None => at_master.await,
        },
    }
}

async fn renew(shard: &ClusterShard) -> Result<(), StoreError> {
    let renewed = shard.pool().renew().await;
    renewed.map_err(|reason| shard.pool().unavailable(&reason))
}
