//! What the contestants of one comparison have in common.

use std::{error::Error, time::Duration};

use ratelimit_tests::RedisServer;
use redis::{
    AsyncConnectionConfig, Client, InfoDict, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};
use tokio::{runtime::Runtime, time::sleep};

use super::{
    Made,
    load::{Load, measure},
};
use crate::compare::Contestant;

/// How long Redis is left alone by whoever has told it everything.
const QUIET: Duration = Duration::from_millis(20);
/// How often it is looked whether it is.
const LOOKS: usize = 50;

#[derive(Clone, Copy)]
pub(super) struct Arena<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) server: &'a RedisServer,
    pub(super) load: Load,
    pub(super) clients: u32,
    /// Requests that each client may make within the window.
    pub(super) limit: u32,
}

impl<'a> Arena<'a> {
    /// One that connects once, and is then asked about clients by their number. An answer is whether
    /// the client was admitted; as nobody's limit is used up, anything else is another measurement.
    pub(super) fn contestant<C, F, E>(
        self,
        name: &str,
        connect: impl AsyncFnOnce() -> Result<C, E>,
        check: impl Fn(&C, u32) -> F + 'a,
    ) -> Made<'a>
    where
        C: 'a,
        F: Future<Output = bool>,
        E: Into<Box<dyn Error>>,
    {
        let connected = self.runtime.block_on(connect()).map_err(Into::into)?;
        Ok(Contestant::new(name, move || {
            self.runtime.block_on(async {
                let measured =
                    measure(self.load, self.clients, |client| check(&connected, client)).await;
                let settled = self.settle().await;
                settled.map_or(f64::NAN, |()| measured)
            })
        }))
    }

    /// Waits until whoever tells Redis later has done so: it is nobody else's turn before.
    async fn settle(self) -> Result<(), RedisError> {
        let mut connection = self.connection().await?;
        let mut before = None;
        for _ in 0..LOOKS {
            let mut look = redis::cmd("INFO");
            let stats: InfoDict = look.arg("stats").query_async(&mut connection).await?;
            let processed: Option<u64> = stats.get("total_commands_processed");
            // Having looked is a command itself.
            if processed == before.map(|before: u64| before + 1) {
                break;
            }
            before = processed;
            sleep(QUIET).await;
        }
        Ok(())
    }

    /// A connection that waits for as long as it takes.
    pub(super) async fn connection(self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        Client::open(self.server.url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// The same as trypema takes it.
    pub(super) async fn connection_manager(self) -> Result<ConnectionManager, RedisError> {
        let config = ConnectionManagerConfig::new().set_response_timeout(None);
        Client::open(self.server.url())?
            .get_connection_manager_with_config(config)
            .await
    }
}
