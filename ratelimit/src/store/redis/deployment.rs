//! Where the keys are: all on one server, or spread over the shards of a cluster.

use std::{future::Future, sync::Arc, time::Duration};

#[cfg(feature = "cluster")]
use redis::ErrorKind;
use redis::{Cmd, Pipeline, RedisError, Value};

#[cfg(feature = "cluster")]
use super::cluster::{Cluster, HashSlot};
use super::{
    connection::{
        Address, ConnectError, Placement, PlacementProbe, Pool, PoolSettings, PooledConnection,
        Probe, Resolved,
    },
    persistence,
    shard::{Shard, TimeLimit},
};
use crate::{
    budget::Budget,
    foreign_text::Explanation,
    store::{StoreError, breaker::Breaker},
};

/// What the connections to a server are made of.
#[derive(Clone)]
pub(super) struct ServerSettings {
    pub(super) connections: usize,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    /// Returns what a server has to answer before checks are sent to it, with keys of a hash tag.
    pub(super) probe: Arc<dyn Fn(&str) -> Probe + Send + Sync>,
}

/// The servers of a store. Clones share their connections and their health.
#[derive(Clone)]
pub(super) enum Deployment {
    OneServer(Shard),
    #[cfg(feature = "cluster")]
    Cluster(Arc<Cluster>),
}

/// The way of a command to the server that has its keys.
pub(super) struct Route {
    pub(super) shard: Shard,
    /// Whether the server is to run the command though it does not have the hash slot yet.
    #[cfg(feature = "cluster")]
    pub(super) is_asking: bool,
}

impl Deployment {
    /// Creates the connections to what these URLs name, none of which is open yet.
    pub(super) fn new(
        address: &Address,
        settings: ServerSettings,
        prefix: &str,
    ) -> Result<Self, ConnectError> {
        match Resolved::new(address, settings.connect_timeout)? {
            Resolved::Target(target) => {
                let probe = move || Some((settings.probe)("probe"));
                let settings = PoolSettings {
                    connections: settings.connections,
                    timeout: settings.timeout,
                    probe: Box::new(probe),
                    placement: PlacementProbe::new(prefix),
                };
                Ok(Self::OneServer(Shard::new(Pool::new(target, settings))))
            }
            #[cfg(feature = "cluster")]
            Resolved::Seeds(seeds) => Ok(Self::Cluster(Cluster::new(seeds, settings))),
        }
    }

    /// Has a question answered by the server that has a key. What the server answers in place of a
    /// result is an error, and one that sends the question elsewhere is followed.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "one server has all keys")
    )]
    pub(super) async fn ask<T, F>(
        &self,
        key: impl Fn() -> Vec<u8>,
        limit: TimeLimit,
        question: impl Fn(Route) -> F,
        failed: impl Fn(&Shard, &RedisError) -> StoreError,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        match self {
            Self::OneServer(shard) => {
                let answer = async || {
                    let answer = question(Route::to(shard)).await;
                    answer.map_err(|error| failed(shard, &error))
                };
                shard.ask(limit, answer).await
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => {
                let slot = HashSlot::of(&key());
                // Boxed: its room would be part of every check's future.
                Box::pin(cluster.ask(slot, limit, question, failed)).await
            }
        }
    }

    /// Sends commands together to the server that has their keys, all of which have one hash tag.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "one server has all keys")
    )]
    pub(super) async fn send_all(
        &self,
        key: &[u8],
        commands: &Pipeline,
        budget: Budget,
        failed: impl Fn(&Shard, &RedisError) -> StoreError,
    ) -> Result<Vec<Value>, StoreError> {
        match self {
            Self::OneServer(shard) => {
                let answers = async || {
                    let answers = shard.pool.send_all(commands, budget).await;
                    answers
                        .and_then(|answers| answers.into_iter().map(Value::extract_error).collect())
                        .map_err(|error| failed(shard, &error))
                };
                shard.breaker.ask(answers).await
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => {
                let sent = cluster.send_all(HashSlot::of(key), commands, budget, failed);
                Box::pin(sent).await
            }
        }
    }

    /// Connects, or returns why that is not possible.
    pub(super) async fn connect(&self) -> Result<(), String> {
        match self {
            Self::OneServer(shard) => shard.pool.connect().await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.connect().await,
        }
    }

    /// Connects in the background, and is not asked until that is done.
    pub(super) fn connect_lazily(&self) {
        self.breaker().open_until_answered();
    }

    /// Checks that the servers answer.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Self::OneServer(shard) => {
                let renewed = shard.pool.renew().await;
                renewed.map_err(|reason| shard.pool.unavailable(&reason))
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.probe().await,
        }
    }

    /// Returns hosts and ports, or the path of a socket; no password is in it.
    pub(super) fn server(&self) -> &str {
        match self {
            Self::OneServer(shard) => shard.pool.server(),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.server(),
        }
    }

    /// Returns how long an answer is waited for.
    pub(super) fn timeout(&self) -> Duration {
        match self {
            Self::OneServer(shard) => shard.pool.timeout(),
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.timeout(),
        }
    }

    /// Starts the budget of one operation.
    pub(super) fn budget(&self) -> Budget {
        Budget::start(self.timeout())
    }

    /// Returns the error of an answer that does not come in time.
    pub(super) fn no_answer(&self) -> StoreError {
        let server = self.server();
        StoreError::new(Explanation(format!("Redis at {server}: no answer in time")))
    }

    /// Returns a breaker that shows the health of all servers.
    pub(super) fn breaker(&self) -> &Breaker {
        match self {
            Self::OneServer(shard) => &shard.breaker,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.breaker(),
        }
    }

    /// Returns which keys one script call can have. A store that has not been connected to yet
    /// connects.
    pub(super) async fn placement(&self, budget: Budget) -> Result<Placement, StoreError> {
        match self {
            Self::OneServer(shard) => {
                let placement = shard.pool.placement();
                if placement != Placement::Unknown {
                    return Ok(placement);
                }
                let found = async || {
                    let placement = shard.pool.find_placement(budget).await;
                    placement.map_err(|error| shard.pool.failed(&error))
                };
                // Boxed: it is rare, and its room would be part of every check's future.
                Box::pin(shard.breaker.ask(found)).await
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => Ok(Placement::ByClient),
        }
    }

    /// Warns if limits do not outlive a restart of the servers.
    pub(super) async fn warn_if_not_persistent(&self) {
        match self {
            Self::OneServer(shard) => persistence::warn_if_there_is_none(&shard.pool).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => {
                // One server is enough: all of them are set up in the same way.
                if let Some(pool) = cluster.open_pool() {
                    persistence::warn_if_there_is_none(&pool).await;
                }
            }
        }
    }
}

impl Route {
    pub(super) fn to(shard: &Shard) -> Self {
        Self {
            shard: shard.clone(),
            #[cfg(feature = "cluster")]
            is_asking: false,
        }
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn send(&self, command: &Cmd, budget: Budget) -> Result<Value, RedisError> {
        let connection = self.shard.pool.connection();
        self.send_through(&connection, command, budget).await
    }

    /// Sends a command through one of the connections and waits for its answer.
    pub(super) async fn send_through(
        &self,
        connection: &Arc<PooledConnection>,
        command: &Cmd,
        budget: Budget,
    ) -> Result<Value, RedisError> {
        let pool = &self.shard.pool;
        #[cfg(feature = "cluster")]
        if self.is_asking {
            // On one connection and with nothing in between: it is for the next command alone.
            let mut commands = redis::pipe();
            commands.cmd("ASKING");
            commands.add_command(command.clone());
            let answers = pool.send_all_through(connection, &commands, budget).await?;
            let answer = answers.into_iter().next_back();
            let answer = answer
                .ok_or_else(|| RedisError::from((ErrorKind::Parse, "an answer is missing")))?;
            return answer_or_error(answer);
        }
        answer_or_error(pool.send_through(connection, command, budget).await?)
    }
}

/// Returns the error that a server has answered. Those within an answer are part of it.
fn answer_or_error(answer: Value) -> Result<Value, RedisError> {
    match answer {
        Value::ServerError(error) => Err(error.into()),
        answer => Ok(answer),
    }
}
