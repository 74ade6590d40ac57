//! One connection, or what is one to those who use it.

use std::time::Duration;

use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
#[cfg(feature = "cluster")]
use redis::{cluster::ClusterClient, cluster_async::ClusterConnection};

#[cfg(feature = "cluster")]
use super::cluster;
use super::{
    address::{Address, Servers},
    error::{ConnectError, reason},
    sentinel::Sentinels,
};

/// What can be connected to: an address that has been read.
pub(super) struct Target {
    kind: Kind,
    addresses: Vec<ConnectionAddr>,
    connect_timeout: Duration,
}

enum Kind {
    One(Box<Client>),
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterClient>),
    Sentinels(Box<Sentinels>),
}

/// It reconnects by itself when it is lost. Its clones are the same.
#[derive(Clone)]
pub(super) enum Link {
    One(ConnectionManager),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

impl Target {
    pub(super) fn new(address: &Address, connect_timeout: Duration) -> Result<Self, ConnectError> {
        address.check()?;
        let addresses = |servers: &[ConnectionInfo]| {
            let addresses = servers.iter().map(|info| info.addr().clone());
            addresses.collect::<Vec<_>>()
        };
        let (kind, addresses) = match &address.servers {
            Servers::One(url) => {
                let info = address.read(url)?;
                let addresses = addresses(std::slice::from_ref(&info));
                let client = Client::open(info).map_err(|error| ConnectError::url(&error))?;
                (Kind::One(Box::new(client)), addresses)
            }
            #[cfg(feature = "cluster")]
            Servers::Cluster(urls) => {
                let servers = address.read_all(urls)?;
                let client = cluster::client(&servers, &address.tls, connect_timeout)?;
                (Kind::Cluster(Box::new(client)), addresses(&servers))
            }
            Servers::Sentinels { sentinels, master } => {
                let servers = address.read_all(sentinels)?;
                let addresses = addresses(&servers);
                let sentinels = Sentinels {
                    servers,
                    master: address.read(master)?,
                    connect_timeout,
                };
                (Kind::Sentinels(Box::new(sentinels)), addresses)
            }
        };
        Ok(Self {
            kind,
            addresses,
            connect_timeout,
        })
    }

    /// Hosts and ports, or the path of a socket; no password.
    pub(super) fn name(&self) -> String {
        let names: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        names.join(", ")
    }

    /// Whether the keys are spread over several servers.
    pub(super) fn is_cluster(&self) -> bool {
        match &self.kind {
            Kind::One(_) | Kind::Sentinels(_) => false,
            #[cfg(feature = "cluster")]
            Kind::Cluster(_) => true,
        }
    }

    /// A new connection, or why there is none.
    pub(super) async fn connect(&self) -> Result<Link, String> {
        let connect_timeout = self.connect_timeout;
        match tokio::time::timeout(connect_timeout, self.link()).await {
            Ok(Err(error)) if !error.is_timeout() => Err(reason(&error)),
            Ok(Ok(link)) => Ok(link),
            _ => {
                let encrypted = |address| matches!(address, &ConnectionAddr::TcpTls { .. });
                // A server without TLS may wait in silence for the client to say something.
                let hint = if self.addresses.iter().any(encrypted) {
                    " (if it does not speak TLS, the URL begins with redis://)"
                } else {
                    ""
                };
                Err(format!("no answer within {connect_timeout:?}{hint}"))
            }
        }
    }

    async fn link(&self) -> Result<Link, RedisError> {
        match &self.kind {
            Kind::One(client) => {
                let connected = manager((**client).clone(), self.connect_timeout);
                connected.await.map(Link::One)
            }
            #[cfg(feature = "cluster")]
            Kind::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
            Kind::Sentinels(sentinels) => sentinels.find().await.map(Link::One),
        }
    }
}

/// A connection to one server. It makes one attempt at a time and no pause: a check that finds no
/// connection fails at once, and the next one tries again.
pub(super) async fn manager(
    client: Client,
    connect_timeout: Duration,
) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(connect_timeout))
        .set_response_timeout(None);
    ConnectionManager::new_with_config(client, config).await
}

impl Link {
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::One(connection) => connection.req_packed_command(command).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }
    }

    pub(super) async fn send_all(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let count = commands.len();
        match self {
            Self::One(connection) => connection.req_packed_commands(commands, 0, count).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_commands(commands, 0, count).await,
        }
    }
}
