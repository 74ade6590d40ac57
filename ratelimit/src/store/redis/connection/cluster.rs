//! Redis Cluster: the keys are spread over several servers.
//!
//! A client's buckets are on one of them, since the client is the part of a key that its place goes
//! by. A command goes to the server that has its keys; where they have moved, or another server has
//! taken over, the redis crate follows.

use std::time::Duration;

use redis::{
    ConnectionInfo,
    cluster::{ClusterClient, ClusterClientBuilder},
};

use super::{
    super::{RedisStore, RedisStoreBuilder},
    address::{Address, Servers},
    error::ConnectError,
    tls::Tls,
};

impl RedisStore {
    /// Connects to a Redis Cluster. Some of its servers are enough, by URLs as in
    /// [`connect`](Self::connect): the others are learned from these. It needs the feature
    /// `cluster`.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::{RateLimiter, RedisStore};
    ///
    /// let redis = RedisStore::cluster(["redis://redis-1:6379", "redis://redis-2:6379"])
    ///     .connect()
    ///     .await?;
    /// RateLimiter::builder().store(redis).build()?.install()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Several limits on one handler
    ///
    /// They are one atomic step where they go by the same client: all of a client's buckets are on
    /// one server. Limits that go by different ones, say `key = ip` and `key = global`, are on
    /// different servers, where no step can take from both or from none; such a check is refused,
    /// which is logged, and its limits are kept as `on_store_error` says. Give them the same key, or
    /// make one of them a [`RateLimitLayer`](crate::RateLimitLayer), which is a check of its own.
    pub fn cluster(urls: impl IntoIterator<Item = impl Into<String>>) -> RedisStoreBuilder {
        let urls = urls.into_iter().map(Into::into).collect();
        RedisStoreBuilder::at(Address::of(Servers::Cluster(urls)))
    }
}

pub(super) fn client(
    servers: &[ConnectionInfo],
    tls: &Tls,
    connect_timeout: Duration,
) -> Result<ClusterClient, ConnectError> {
    // Sent again at once and as often as it takes, since a check waits for no more than its timeout
    // anyway, after which nobody tries any more. While a slot moves it may take several: the ASKING
    // before a command is lost where another command on the same connection comes in between.
    let builder = ClusterClientBuilder::new(servers.to_vec())
        .retries(32)
        .min_retry_wait(2)
        .max_retry_wait(20)
        .connection_timeout(connect_timeout)
        .response_timeout(connect_timeout)
        .overall_response_timeout(None);
    tls.in_cluster(builder, servers)
        .build()
        .map_err(|error| ConnectError::url(&error))
}
