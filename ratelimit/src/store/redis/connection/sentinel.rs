//! Redis Sentinel: servers that watch a master, and know which server it is.
//!
//! All sentinels are queried at once for each connection that is opened, and the first whose answer
//! proves right wins: a sentinel that is silent delays nothing, and one that still names a demoted
//! master is found out by `ROLE`, as the [guidelines for
//! clients](https://redis.io/docs/latest/develop/reference/sentinel-clients/) require.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value, aio::MultiplexedConnection};
use tokio::task::JoinSet;

use super::{
    super::{RedisStore, RedisStoreBuilder},
    address::{Address, Servers},
    server::Server,
};
use crate::budget::{Budget, OutOfTime};

impl RedisStore {
    /// Connects to the master that these sentinels watch under a name, and follows when another
    /// server becomes the master.
    ///
    /// The sentinels are given by URLs as in [`connect`](Self::connect), which may have a password
    /// for the sentinels. All of them are queried at once, and the first that names a server that is
    /// a master (by `ROLE`) is believed, so a sentinel that is down, silent or out of date is no
    /// obstacle while another one works.
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
    /// If the master itself needs a password, TLS or a database, its name is the host in a URL that
    /// says so: `redis://user:password@mymaster/2`, `rediss://mymaster`. Sentinels mostly give the
    /// master's IP address; if its certificate is for a name, `RedisStoreBuilder::tls_server_name`
    /// says which.
    ///
    /// While there is no master, the store does not answer. What the old one had not yet sent to its
    /// replicas is lost, so some requests may be allowed again.
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

/// The sentinels to query, and about which master.
pub(super) struct Sentinels {
    servers: Vec<Server>,
    /// How to connect to the master, with its name instead of its address.
    master: Server,
}

impl Sentinels {
    pub(super) fn new(servers: impl IntoIterator<Item = Server>, master: Server) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            master,
        }
    }

    /// Connects to the first server that a sentinel names and that says itself that it is a master.
    pub(super) async fn connect_to_master(
        &self,
        budget: Budget,
    ) -> Result<Result<MultiplexedConnection, RedisError>, OutOfTime> {
        let mut attempts = JoinSet::new();
        for sentinel in &self.servers {
            attempts.spawn(connect_by(sentinel.clone(), self.master.clone()));
        }
        let mut failed: Option<RedisError> = None;
        loop {
            let ended = match budget.run(attempts.join_next()).await {
                Ok(Some(ended)) => ended,
                // What one sentinel said tells more than that another one is silent.
                Ok(None) | Err(OutOfTime) => return failed.map(Err).ok_or(OutOfTime),
            };
            match ended {
                Ok(Ok(master)) => return Ok(Ok(master)),
                // An answer tells more than the error of a connection.
                Ok(Err(error)) if failed.is_none() || !error.is_io_error() => failed = Some(error),
                // The task has panicked, or its runtime ends.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

/// Connects to the server that this sentinel names.
async fn connect_by(sentinel: Server, master: Server) -> Result<MultiplexedConnection, RedisError> {
    let (host, port) = address_of_master(&sentinel, master.host()).await?;
    let mut connection = master.at(host, port).connect().await?;
    verify_role(&mut connection).await?;
    Ok(connection)
}

/// Queries one sentinel.
async fn address_of_master(sentinel: &Server, name: &str) -> Result<(String, u16), RedisError> {
    let mut connection = sentinel.connect().await?;
    let mut query = redis::cmd("SENTINEL");
    query.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let address: Option<(String, u16)> = query.query_async(&mut connection).await?;
    address.ok_or_else(|| {
        RedisError::from((
            ErrorKind::MasterNameNotFoundBySentinel,
            "the sentinel knows no master of that name",
            name.to_owned(),
        ))
    })
}

/// Checks that a server says itself that it is a master.
async fn verify_role(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let answer = redis::cmd("ROLE")
        .query_async::<Vec<Value>>(connection)
        .await;
    let role = match answer {
        Ok(answer) => answer.into_iter().next(),
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            return Err(RedisError::from((
                ErrorKind::Client,
                "the user may not ask whether the server is a master: give it the permission +role",
            )));
        }
        Err(error) => return Err(error),
    };
    match role {
        Some(Value::BulkString(role)) if role == b"master" => Ok(()),
        _ => Err(RedisError::from((
            ErrorKind::Client,
            "the server that the sentinel names as the master is a replica",
        ))),
    }
}
