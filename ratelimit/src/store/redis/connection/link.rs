//! One open connection.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{
    Cmd, Pipeline, RedisError, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::task::JoinHandle;

/// An open connection, which any number of commands use at once. It is never opened again: when it
/// is lost, another one takes its place.
pub(super) struct Link {
    wire: Wire,
    runtime: RuntimeWatch,
    is_lost: AtomicBool,
}

/// What commands are sent through.
#[derive(Clone)]
pub(super) struct Wire(pub(super) MultiplexedConnection);

impl Link {
    /// Takes over a connection that was opened in the present runtime.
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            runtime: RuntimeWatch::start(),
            is_lost: AtomicBool::new(false),
        }
    }

    /// Returns whether commands can be sent: the connection is not known to be lost, and the runtime
    /// that drives it still runs.
    pub(super) fn is_open(&self) -> bool {
        !self.is_lost.load(Ordering::Relaxed) && !self.runtime.has_ended()
    }

    /// Notes that the connection is lost.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// Returns a handle to send commands with.
    pub(super) fn wire(&self) -> Wire {
        self.wire.clone()
    }
}

impl Wire {
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        self.0.req_packed_command(command).await
    }

    pub(super) async fn send_all(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let count = commands.len();
        self.0.req_packed_commands(commands, 0, count).await
    }
}

/// A task that does nothing and ends with its runtime. The task that reads from a connection ends
/// with it as well, without a word to those who use the connection from another runtime.
struct RuntimeWatch(JoinHandle<()>);

impl RuntimeWatch {
    fn start() -> Self {
        Self(tokio::spawn(std::future::pending()))
    }

    fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for RuntimeWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
