//! The shared connections: a few multiplexed ones behind one handle.

mod address;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
mod link;
mod sentinel;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;
mod together;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value};

pub use self::error::ConnectError;
use self::link::{Link, Target};
pub(super) use self::{address::Address, error::reason};
use crate::store::StoreError;

/// How long it may take to connect anew after an outage. What takes longer is tried again.
const RENEWAL: Duration = Duration::from_secs(1);

/// Several connections, taken in turn. Each reconnects by itself when it is seen to be lost; for one
/// that is dead without saying so, see [`renew`](Connections::renew).
pub(crate) struct Connections {
    target: Target,
    count: usize,
    /// None at all until there has been a first connection.
    links: ArcSwap<Vec<Link>>,
    next: AtomicUsize,
    timeout: Duration,
    server: String,
}

impl Connections {
    /// So many connections, none of which there is yet.
    pub(super) fn to(
        address: &Address,
        count: usize,
        timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<Self, ConnectError> {
        let target = Target::new(address, connect_timeout)?;
        Ok(Self {
            server: target.name(),
            target,
            count,
            links: ArcSwap::default(),
            next: AtomicUsize::new(0),
            timeout,
        })
    }

    /// Connects.
    pub(super) async fn open(&self) -> Result<(), ConnectError> {
        let mut links = Vec::with_capacity(self.count);
        while links.len() < self.count {
            let link = self.target.connect().await;
            links.push(link.map_err(|reason| ConnectError::Connect {
                server: self.server.clone(),
                reason,
            })?);
        }
        self.links.store(Arc::new(links));
        Ok(())
    }

    /// Connects anew, and goes by the new connections if this command is answered there. Of the old
    /// ones nobody knows, after an outage, which are dead: a network may lose all that is sent on a
    /// connection and never close it.
    pub(super) async fn renew(&self, command: &Cmd) -> Result<(), StoreError> {
        let renewed = tokio::time::timeout(RENEWAL, self.connect_and_send(command)).await;
        let renewed = renewed.unwrap_or_else(|_| Err(self.no_answer("no answer in time")));
        // The old ones to a cluster know servers of it that nobody told us of.
        if renewed.is_err() && self.is_cluster() && is_done(self.send(command).await).is_ok() {
            return Ok(());
        }
        renewed
    }

    async fn connect_and_send(&self, command: &Cmd) -> Result<(), StoreError> {
        let link = self.target.connect().await;
        let mut link = link.map_err(|reason| self.no_answer(&reason))?;
        is_done(link.send(command).await).map_err(|error| self.failed(&error))?;
        let opened = self.open().await;
        opened.map_err(|error| StoreError::new(error.to_string()))
    }

    /// Host and port; no password.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Sends a command and waits for its answer, no longer than the timeout.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut link = self.link()?;
        self.in_time(link.send(command)).await
    }

    /// Sends commands together and waits for the answers, no longer than the timeout.
    pub(super) async fn send_all(&self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let mut link = self.link()?;
        self.in_time(link.send_all(commands)).await
    }

    fn link(&self) -> Result<Link, RedisError> {
        let links = self.links.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let link = turn.checked_rem(links.len()).map(|n| links[n].clone());
        link.ok_or_else(|| RedisError::from((ErrorKind::Io, "there is no connection yet")))
    }

    fn is_cluster(&self) -> bool {
        self.target.is_cluster()
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        tokio::time::timeout(self.timeout, answer)
            .await
            .unwrap_or_else(|_| {
                Err(RedisError::from((
                    ErrorKind::Io,
                    "no answer in time",
                    format!("{:?}", self.timeout),
                )))
            })
    }

    pub(super) fn failed(&self, error: &RedisError) -> StoreError {
        self.no_answer(&reason(error))
    }

    fn no_answer(&self, reason: &str) -> StoreError {
        StoreError::new(format!("Redis at {}: {reason}", self.server))
    }
}

fn is_done(answer: Result<Value, RedisError>) -> Result<(), RedisError> {
    answer.and_then(Value::extract_error).map(drop)
}
