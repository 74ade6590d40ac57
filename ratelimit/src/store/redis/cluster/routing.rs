//! How a command gets to the server that has its slot, wherever that is by then.
//!
//! A command is sent again only if a server has said that it did not run it. When a connection is
//! lost, or an answer does not come in time, the command may have been run.

use std::{future::Future, sync::Arc};

use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::Instant;

use super::{
    super::{
        deployment::Route,
        shard::{Shard, TimeLimit},
    },
    Cluster, ClusterShard, HashSlot, NodeAddress,
    redirection::Redirection,
    retries::Retries,
};
use crate::{budget::Budget, foreign_text::Explanation, store::StoreError};

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
        let mut retries = Retries::new();
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
            let paused = retries.pause(&redirection, limit, begin.elapsed()).await;
            paused.map_err(|reason| self.unserved(reason))?;
            hop = match redirection {
                Redirection::Moved { slot, to: Some(to) } => self.moved(slot, &to)?,
                Redirection::Moved { to: None, .. } => {
                    // If there is no map, the old one leads here again.
                    let _ = budget.run(self.refresh()).await;
                    self.owner(slot, budget).await?
                }
                Redirection::Ask(to) => self.importer(&to)?,
                Redirection::TryAgain => self.owner(slot, budget).await?,
            };
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
        StoreError::new(Explanation(format!(
            "Redis Cluster at {}: {reason}",
            self.name
        )))
    }
}
