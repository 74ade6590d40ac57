//! The shared connections: a few multiplexed ones behind one handle.

mod address;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
mod link;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;
mod together;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value};

pub use self::error::ConnectError;
use self::link::{Link, Target};
pub(super) use self::{address::Address, error::reason};
use crate::store::StoreError;

/// Several connections, taken in turn. Each reconnects by itself when it is lost.
pub(crate) struct Connections {
    links: Box<[Link]>,
    next: AtomicUsize,
    timeout: Duration,
    server: String,
}

impl Connections {
    pub(super) async fn open(
        address: &Address,
        count: usize,
        timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<Self, ConnectError> {
        let target = Target::new(address, connect_timeout)?;
        let server = target.name();
        let mut links = Vec::with_capacity(count);
        for _ in 0..count {
            let link = target.connect().await;
            links.push(link.map_err(|reason| ConnectError::Connect {
                server: server.clone(),
                reason,
            })?);
        }
        Ok(Self {
            links: links.into(),
            next: AtomicUsize::new(0),
            timeout,
            server,
        })
    }

    /// Host and port; no password.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Sends a command and waits for its answer, no longer than the timeout.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let mut link = self.link();
        self.in_time(link.send(command)).await
    }

    /// Sends commands together and waits for the answers, no longer than the timeout.
    pub(super) async fn send_all(&self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let mut link = self.link();
        self.in_time(link.send_all(commands)).await
    }

    fn link(&self) -> Link {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.links[turn % self.links.len()].clone()
    }

    fn is_cluster(&self) -> bool {
        self.links.first().is_some_and(Link::is_cluster)
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
        StoreError::new(format!("Redis at {}: {}", self.server, reason(error)))
    }
}
