//! How the slot map of a cluster is found: all servers that may have it are queried at once, and the
//! first answer wins, so that a server that is silent delays nothing.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, ErrorKind, RedisError, Value};
use tokio::task::JoinSet;

use super::{
    super::connection::{Pool, Server, no_answer_in_time},
    Cluster,
    node_address::NodeAddress,
    slot_map::SlotMap,
};
use crate::budget::{Budget, OutOfTime};

/// How long the servers of one choice have for their answers before those of the next are queried.
const DELAY: Duration = Duration::from_millis(100);

/// A server that may have the slot map.
#[derive(Clone)]
pub(super) enum Source {
    /// A seed, for which a connection is opened.
    Seed(Box<Server>),
    /// A master that is connected to.
    Master(NodeAddress, Arc<Pool>),
}

/// The slot map that a server has answered.
pub(super) struct Discovery {
    pub(super) map: SlotMap,
    pub(super) source: NodeAddress,
}

/// Returns the first map that a server answers: of the first choice, or of the next if those do not
/// answer soon. If there is none, returns the error of a server, or `None` if no server answered in
/// time.
pub(super) async fn discover(
    choices: impl IntoIterator<Item = Vec<Source>>,
    budget: Budget,
) -> Result<Discovery, Option<RedisError>> {
    let mut choices = choices.into_iter().peekable();
    let mut queries = JoinSet::<Result<Discovery, RedisError>>::new();
    let mut failed = None;
    loop {
        let mut limit = budget;
        if choices.peek().is_some() {
            limit = limit.min(Budget::start(DELAY));
        }
        match limit.run(queries.join_next()).await {
            Ok(Some(Ok(Ok(discovery)))) => return Ok(discovery),
            // An answer tells more than the error of a connection.
            Ok(Some(Ok(Err(error)))) if failed.is_none() || !error.is_io_error() => {
                failed = Some(error);
            }
            // The task has panicked, or its runtime ends.
            Ok(Some(_)) => {}
            Ok(None) | Err(OutOfTime) => match choices.next() {
                Some(sources) if !budget.is_spent() => {
                    for source in sources {
                        queries.spawn(source.query(budget));
                    }
                }
                _ => return Err(failed),
            },
        }
    }
}

impl Cluster {
    /// Returns the seeds as sources.
    pub(super) fn seeds(&self) -> impl Iterator<Item = Source> {
        let seeds = self.seeds.iter().cloned();
        seeds.map(|seed| Source::Seed(Box::new(seed)))
    }
}

impl Source {
    /// Returns where the server is. A seed has no such address if it is a socket.
    pub(super) fn address(&self) -> Option<NodeAddress> {
        match self {
            Self::Seed(seed) => NodeAddress::of(seed.address()),
            Self::Master(address, _) => Some(address.clone()),
        }
    }

    async fn query(self, budget: Budget) -> Result<Discovery, RedisError> {
        let source = self.address().ok_or_else(no_answer_in_time)?;
        let mut query = redis::cmd("CLUSTER");
        query.arg("SLOTS");
        let answer = match self {
            Self::Seed(seed) => query_once(&seed, &query).await?,
            Self::Master(_, pool) => pool.send(&query, budget).await?,
        };
        match SlotMap::read(answer.extract_error()?, &source) {
            Some(map) => Ok(Discovery { map, source }),
            None => Err(RedisError::from((
                ErrorKind::Client,
                "the server knows of no server that has hash slots",
            ))),
        }
    }
}

async fn query_once(seed: &Server, query: &Cmd) -> Result<Value, RedisError> {
    let mut connection = seed.connect().await?;
    query.query_async(&mut connection).await
}
