//! The shared connections: a few multiplexed ones behind one handle.

mod address;
mod error;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, Pipeline, RedisError, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

pub use self::error::ConnectError;
pub(super) use self::{address::Address, error::reason};
use crate::store::StoreError;

/// Several connections, taken in turn. Each reconnects by itself when it is lost.
pub(crate) struct Connections {
    managers: Box<[ConnectionManager]>,
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
        let info = address.server()?;
        let server = info.addr().to_string();
        let no_answer = no_answer(info.addr(), connect_timeout);
        let client = Client::open(info).map_err(|error| ConnectError::Url {
            reason: reason(&error),
        })?;
        // One attempt at a time and no pause: a check that finds no connection fails at once, and
        // the next one tries again.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(connect_timeout))
            .set_response_timeout(None);
        let mut managers = Vec::with_capacity(count);
        for _ in 0..count {
            let connecting = ConnectionManager::new_with_config(client.clone(), config.clone());
            let manager = tokio::time::timeout(connect_timeout, connecting)
                .await
                .map_err(|_| no_answer.clone())
                .and_then(|connected| {
                    connected.map_err(|error| {
                        if error.is_timeout() {
                            no_answer.clone()
                        } else {
                            reason(&error)
                        }
                    })
                })
                .map_err(|reason| ConnectError::Connect {
                    server: server.clone(),
                    reason,
                })?;
            managers.push(manager);
        }
        Ok(Self {
            managers: managers.into(),
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
        let mut connection = self.connection();
        self.in_time(connection.req_packed_command(command)).await
    }

    /// Sends commands together and waits for the answers, no longer than the timeout.
    pub(super) async fn send_all(&self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let mut connection = self.connection();
        let count = commands.len();
        self.in_time(connection.req_packed_commands(commands, 0, count))
            .await
    }

    fn connection(&self) -> ConnectionManager {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.managers[turn % self.managers.len()].clone()
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

/// A server that does not speak TLS may wait in silence for the client to say something.
fn no_answer(at: &ConnectionAddr, timeout: Duration) -> String {
    let hint = match at {
        ConnectionAddr::TcpTls { .. } => {
            " (if it does not speak TLS, the URL begins with redis://)"
        }
        _ => "",
    };
    format!("no answer within {timeout:?}{hint}")
}
