//! The shared connections: a few multiplexed ones behind one handle.

mod address;
#[cfg(feature = "cluster")]
mod cluster;
mod error;
mod line;
mod link;
mod sentinel;
mod slot;
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
pub(super) use self::{address::Address, error::reason, line::Waiting, slot::Slot};
use crate::{budget::Budget, store::StoreError};

/// How long it may take to connect anew after an outage. What takes longer is tried again.
const RENEWAL: Duration = Duration::from_secs(1);

/// Several connections, taken in turn. Each reconnects by itself when it is seen to be lost.
pub(crate) struct Connections {
    target: Arc<Target>,
    count: usize,
    /// None at all until there has been a first connection.
    slots: ArcSwap<Vec<Arc<Slot>>>,
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
            target: Arc::new(target),
            count,
            slots: ArcSwap::default(),
            next: AtomicUsize::new(0),
            timeout,
        })
    }

    /// Connects.
    pub(super) async fn open(&self) -> Result<(), ConnectError> {
        let mut slots = Vec::with_capacity(self.count);
        while slots.len() < self.count {
            let link = self.target.connect().await;
            slots.push(Slot::new(link.map_err(|reason| ConnectError::Connect {
                server: self.server.clone(),
                reason,
            })?));
        }
        self.slots.store(Arc::new(slots));
        Ok(())
    }

    /// Connects anew, and goes by the new connections if this command is answered there. Of the old
    /// ones nobody knows, after an outage, which are dead.
    pub(super) async fn renew(&self, command: &Cmd) -> Result<(), StoreError> {
        let renewed = tokio::time::timeout(RENEWAL, self.connect_and_send(command)).await;
        let renewed = renewed.unwrap_or_else(|_| Err(self.no_answer("no answer in time")));
        // The old ones to a cluster know servers of it that nobody told us of.
        if renewed.is_err()
            && self.is_cluster()
            && is_done(self.send(command, self.deadline()).await).is_ok()
        {
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

    /// How long an answer is waited for.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Until when the answer to what is asked now is waited for.
    pub(super) fn deadline(&self) -> Budget {
        Budget::start(self.timeout)
    }

    /// Sends a command and waits for its answer until then.
    pub(super) async fn send(&self, command: &Cmd, deadline: Budget) -> Result<Value, RedisError> {
        self.send_through(&self.slot()?, command, deadline).await
    }

    /// The same through this one of the connections.
    pub(super) async fn send_through(
        &self,
        slot: &Arc<Slot>,
        command: &Cmd,
        deadline: Budget,
    ) -> Result<Value, RedisError> {
        self.ask(slot, deadline, |mut link| async move {
            link.send(command).await
        })
        .await
    }

    /// Sends commands together and waits for the answers until then.
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        deadline: Budget,
    ) -> Result<Vec<Value>, RedisError> {
        self.ask(&self.slot()?, deadline, |mut link| async move {
            link.send_all(commands).await
        })
        .await
    }

    async fn ask<T, F>(
        &self,
        slot: &Arc<Slot>,
        deadline: Budget,
        question: impl FnOnce(Link) -> F,
    ) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        // What is sent may be charged, also where nobody waits for the answer any more.
        if deadline.is_spent() {
            return Err(no_answer_in_time());
        }
        let answer = deadline.run(question(slot.link())).await;
        let answer = answer.unwrap_or_else(|_| Err(no_answer_in_time()));
        // An error that the server sends is an answer.
        match &answer {
            Ok(_) => slot.was_answered(),
            Err(_) => slot.was_not_answered(&self.target),
        }
        answer
    }

    /// The connection whose turn it is.
    pub(super) fn slot(&self) -> Result<Arc<Slot>, RedisError> {
        let slots = self.slots.load();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = turn.checked_rem(slots.len()).map(|n| slots[n].clone());
        slot.ok_or_else(|| RedisError::from((ErrorKind::Io, "there is no connection yet")))
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.target.is_cluster()
    }

    pub(super) fn failed(&self, error: &RedisError) -> StoreError {
        self.no_answer(&reason(error))
    }

    fn no_answer(&self, reason: &str) -> StoreError {
        StoreError::new(format!("Redis at {}: {reason}", self.server))
    }
}

pub(super) fn no_answer_in_time() -> RedisError {
    RedisError::from((ErrorKind::Io, "no answer in time"))
}

fn is_done(answer: Result<Value, RedisError>) -> Result<(), RedisError> {
    answer.and_then(Value::extract_error).map(drop)
}
