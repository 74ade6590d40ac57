//! The shared connections: a few multiplexed ones behind one handle.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use redis::{
    Client, Cmd, ErrorKind, Pipeline, RedisError, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

use crate::store::StoreError;

/// No connection to Redis came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one of a Redis.
    #[error(
        "the Redis URL cannot be read ({reason}); it should look like redis://127.0.0.1:6379 or redis://user:password@host:6379/0"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Setting(&'static str),
    /// Nobody answers there, or not as Redis would.
    #[error("cannot connect to Redis at {server}: {reason}")]
    Connect {
        /// Host and port, or the path of a socket.
        server: String,
        /// Why not.
        reason: String,
    },
}

/// Several connections, taken in turn. Each reconnects by itself when it is lost.
pub(crate) struct Connections {
    managers: Box<[ConnectionManager]>,
    next: AtomicUsize,
    timeout: Duration,
    server: String,
}

impl Connections {
    pub(super) async fn open(
        url: &str,
        count: usize,
        timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<Self, ConnectError> {
        let client = Client::open(url).map_err(|error| ConnectError::Url {
            reason: reason(&error),
        })?;
        let server = client.get_connection_info().addr().to_string();
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
                .map_err(|_| format!("no answer within {connect_timeout:?}"))
                .and_then(|connected| connected.map_err(|error| reason(&error)))
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

/// What went wrong, in the words of the server or the system.
pub(super) fn reason(error: &RedisError) -> String {
    match error.kind() {
        // Whatever the server says, it comes down to one of these.
        ErrorKind::AuthenticationFailed => "it does not take the password in the URL: password or \
            user is wrong, or that user may not log in"
            .to_owned(),
        _ => error.to_string(),
    }
}
