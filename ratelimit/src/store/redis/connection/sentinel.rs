//! Redis Sentinel: other servers that watch a master, and say which server it is.
//!
//! They are asked for each connection that is made. The redis crate's own client of Sentinel connects
//! once and does not follow; here another master is found as soon as the old one does not answer, or
//! answers that it takes no writes: that is an outage, which ends with new connections.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError,
    aio::ConnectionManager,
};
use tokio::time::timeout;

use super::{
    super::{RedisStore, RedisStoreBuilder},
    address::{Address, Servers},
    link::manager,
};

impl RedisStore {
    /// Connects to the master that these sentinels watch under a name, and follows when another
    /// server becomes the master. The sentinels are asked one after the other until one answers, by
    /// URLs as in [`connect`](Self::connect), which may have a password for the sentinels.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::{RateLimiter, RedisStore};
    ///
    /// let sentinels = ["redis://sentinel-1:26379", "redis://sentinel-2:26379"];
    /// let redis = RedisStore::sentinel(sentinels, "mymaster").connect().await?;
    /// RateLimiter::builder().store(redis).build()?.install()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Where the master itself asks for a password, for TLS or for a database, its name is the host
    /// in a URL that says so: `redis://user:password@mymaster/2`, `rediss://mymaster`.
    ///
    /// While there is no master, the store does not answer. What the old one had not yet told its
    /// replicas is lost, so some requests may be admitted again.
    pub fn sentinel(
        sentinels: impl IntoIterator<Item = impl Into<String>>,
        master: impl Into<String>,
    ) -> RedisStoreBuilder {
        let master = master.into();
        RedisStoreBuilder::at(Address::of(Servers::Sentinels {
            sentinels: sentinels.into_iter().map(Into::into).collect(),
            master: if master.contains("://") {
                master
            } else {
                format!("redis://{master}")
            },
        }))
    }
}

/// Whom to ask, and about which master.
pub(super) struct Sentinels {
    pub(super) servers: Vec<ConnectionInfo>,
    /// How to connect to the master, with its name instead of its address.
    pub(super) master: ConnectionInfo,
    pub(super) connect_timeout: Duration,
}

impl Sentinels {
    fn name(&self) -> &str {
        host_and_port(self.master.addr()).map_or("", |(host, _)| host)
    }

    /// Connects to the first server that a sentinel says is the master and that can be connected to.
    pub(super) async fn find(&self) -> Result<ConnectionManager, RedisError> {
        let mut failed = None;
        for sentinel in &self.servers {
            let found = timeout(self.connect_timeout, async {
                let info = self.master.clone().set_addr(self.ask(sentinel).await?);
                manager(Client::open(info)?, self.connect_timeout).await
            });
            match found.await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(RedisError::from((ErrorKind::Io, "no answer in time"))),
            }
        }
        Err(failed.unwrap_or_else(|| RedisError::from((ErrorKind::Io, "no sentinel"))))
    }

    /// Where the master is, as this sentinel sees it.
    async fn ask(&self, sentinel: &ConnectionInfo) -> Result<ConnectionAddr, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.connect_timeout));
        let mut connection = Client::open(sentinel.clone())?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(self.name());
        let answer: Option<(String, u16)> = question.query_async(&mut connection).await?;
        let Some((host, port)) = answer else {
            return Err(RedisError::from((
                ErrorKind::MasterNameNotFoundBySentinel,
                "the sentinel knows no master of that name",
                self.name().to_owned(),
            )));
        };
        Ok(match self.master.addr().clone() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params,
            },
            _ => ConnectionAddr::Tcp(host, port),
        })
    }
}

fn host_and_port(addr: &ConnectionAddr) -> Option<(&str, u16)> {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host, *port))
        }
        _ => None,
    }
}
