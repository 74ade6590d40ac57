//! How a command gets to the server that has its slot, wherever that is by then.
//!
//! A command is sent again only if a server has said that it did not run it. When a connection is
//! lost, or an answer does not come in time, the command may have been run.

use std::{future::Future, sync::Arc, time::Duration};

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        deployment::Route,
        shard::{Shard, TimeLimit},
    },
    Cluster, ClusterShard, HashSlot, NodeAddress,
    redirection::Redirection,
};
use crate::{budget::Budget, store::StoreError};

/// How often a command is redirected: by a slot map that is old, by a slot that is being moved, and
/// by both again. More than that is a cluster whose servers do not agree.
const REDIRECTIONS_MAX: u32 = 5;

/// The time before a command is sent again whose keys are being moved. It doubles each time.
const RETRY_MIN: Duration = Duration::from_millis(2);

/// The longest such time.
const RETRY_MAX: Duration = Duration::from_millis(20);

/// The least time that is left for an answer when a command is sent again.
const SLACK: Duration = Duration::from_millis(10);

/// A shard to send a command to.
struct Hop {
    shard: Arc<ClusterShard>,
    is_asking: bool,
}

impl Cluster {
    /// Has a question answered by the shard that has this slot.
    pub(in super::super) async fn ask<T, F>(
        &self,
        slot: HashSlot,
        limit: TimeLimit,
        question: impl Fn(Route) -> F,
        failed: impl Fn(&Shard, &RedisError) -> StoreError,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let budget = limit.deadline;
        let mut hop = self.owner(slot, budget).await?;
        let mut redirections = 0;
        let mut pause = RETRY_MIN;
        loop {
            let shard = hop.shard.shard();
            let asked = async || {
                let route = Route {
                    shard: shard.clone(),
                    is_asking: hop.is_asking,
                };
                let error = match question(route).await {
                    Ok(answer) => return Ok(Ok(answer)),
                    Err(error) => error,
                };
                let redirection = Redirection::read(&error, hop.shard.master());
                redirection.map(Err).ok_or_else(|| {
                    self.note_failure(&error);
                    failed(shard, &error)
                })
            };
            let begin = Instant::now();
            // A redirection is an answer: the shard is up.
            let redirection = match shard.ask(limit, asked).await? {
                Ok(answer) => return Ok(answer),
                Err(redirection) => redirection,
            };
            hop = match redirection {
                Redirection::Moved { slot, to: Some(to) } => self.moved(slot, &to)?,
                Redirection::Moved { to: None, .. } => {
                    // If there is no map, the old one leads here again.
                    let _ = budget.run(self.refresh()).await;
                    self.owner(slot, budget).await?
                }
                Redirection::Ask(to) => self.importer(&to)?,
                Redirection::TryAgain => {
                    let round_trip = begin.elapsed();
                    let slept = limit.counted.run(sleep(pause)).await;
                    // An answer that comes too late would pass for an outage.
                    let is_late = SLACK.max(2 * round_trip) >= limit.counted.remaining();
                    if slept.is_err() || is_late {
                        return Err(shard.pool.unavailable("its keys are being moved"));
                    }
                    pause = RETRY_MAX.min(2 * pause);
                    redirections = 0;
                    self.owner(slot, budget).await?
                }
            };
            redirections += 1;
            if redirections > REDIRECTIONS_MAX {
                self.refresh_soon();
                return Err(self.unserved("its servers do not agree which of them has a hash slot"));
            }
        }
    }

    /// Sends commands together to the shard that has their slot, and those that it did not run, one by
    /// one, to where they are run.
    pub(in super::super) async fn send_all(
        &self,
        slot: HashSlot,
        commands: &Pipeline,
        budget: Budget,
        failed: impl Fn(&Shard, &RedisError) -> StoreError,
    ) -> Result<Vec<Value>, StoreError> {
        let hop = self.owner(slot, budget).await?;
        let shard = hop.shard.shard();
        let redirects = |answer: &Value| match answer {
            Value::ServerError(error) => {
                let error = RedisError::from(error.clone());
                Redirection::read(&error, hop.shard.master()).is_some()
            }
            _ => false,
        };
        let sent = shard.breaker.ask(async || {
            let answers = shard.pool.send_all(commands, budget).await;
            let extract = |answer: Value| {
                if redirects(&answer) {
                    Ok(answer)
                } else {
                    answer.extract_error()
                }
            };
            let answers = answers.and_then(|answers| answers.into_iter().map(extract).collect());
            answers.map_err(|error| {
                self.note_failure(&error);
                failed(shard, &error)
            })
        });
        let mut answers: Vec<Value> = sent.await?;
        for (command, answer) in commands.cmd_iter().zip(&mut answers) {
            if redirects(answer) {
                let question = |route: Route| async move { route.send(command, budget).await };
                *answer = self.ask(slot, budget.into(), question, &failed).await?;
            }
        }
        Ok(answers)
    }

    /// Returns the shard that has a slot.
    async fn owner(&self, slot: HashSlot, budget: Budget) -> Result<Hop, StoreError> {
        let owner = || self.hop(self.topology.load().owner(slot), false);
        if let Ok(hop) = owner() {
            return Ok(hop);
        }
        let found = async || {
            // If there is no map, the slot has no shard.
            let _ = budget.run(self.refresh()).await;
            owner()
        };
        // Boxed: it is rare, and its room would be part of every check's future.
        Box::pin(self.unserved.ask(found)).await
    }

    /// Notes that a slot is at another server from now on, and returns the shard that it is in.
    fn moved(&self, slot: HashSlot, to: &NodeAddress) -> Result<Hop, StoreError> {
        let topology = self.change(|topology| {
            let owner = topology.owner(slot);
            let is_noted = owner.is_some_and(|owner| owner.master() == to);
            (!is_noted).then(|| topology.with_owner(slot, to, self))
        });
        self.refresh_soon();
        self.hop(topology.at(to), false)
    }

    /// Returns the shard that a slot is being moved to, which may have none yet.
    fn importer(&self, to: &NodeAddress) -> Result<Hop, StoreError> {
        let topology = self.change(|topology| {
            let is_known = topology.at(to).is_some();
            (!is_known).then(|| {
                // So that it is seen when the server gets no slot after all.
                self.refresh_soon();
                topology.with_shard(to, self)
            })
        });
        let hop = self.hop(topology.at(to), true)?;
        hop.shard.note_import();
        Ok(hop)
    }

    fn hop(&self, shard: Option<&Arc<ClusterShard>>, is_asking: bool) -> Result<Hop, StoreError> {
        let shard = shard.cloned();
        let shard = shard.ok_or_else(|| self.unserved("no server has the hash slot"))?;
        Ok(Hop { shard, is_asking })
    }

    /// Looks for the servers if it may be that a server does not know of the others any more.
    fn note_failure(&self, error: &RedisError) {
        if error.kind() == ErrorKind::Server(ServerErrorKind::ClusterDown) {
            self.refresh_soon();
        }
    }

    /// Returns the error of a slot that no server has.
    pub(super) fn unserved(&self, reason: &str) -> StoreError {
        StoreError::new(format!("Redis Cluster at {}: {reason}", self.name))
    }
}
