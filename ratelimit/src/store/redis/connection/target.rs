//! What a pool connects to: a server, or the server that sentinels name as the master.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError};

#[cfg(feature = "cluster")]
use super::cluster;
use super::{
    address::{Address, Servers},
    error::{ConnectError, reason},
    link::{Link, Wire},
    sentinel::Sentinels,
    server::Server,
};
use crate::budget::{Budget, OutOfTime};

/// An address that was read and checked.
pub(super) struct Target {
    kind: Kind,
    addresses: Vec<ConnectionAddr>,
    connect_timeout: Duration,
}

enum Kind {
    One(Box<Server>),
    #[cfg(feature = "cluster")]
    Cluster(Box<redis::cluster::ClusterClient>),
    Sentinels(Box<Sentinels>),
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
                (Kind::One(Box::new(address.server(info))), addresses)
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
                let sentinels = Sentinels::new(
                    servers.into_iter().map(|info| address.sentinel(info)),
                    address.server(address.read(master)?),
                );
                (Kind::Sentinels(Box::new(sentinels)), addresses)
            }
        };
        Ok(Self {
            kind,
            addresses,
            connect_timeout,
        })
    }

    /// Returns hosts and ports, or the path of a socket; no password is in it.
    pub(super) fn name(&self) -> String {
        let names: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        names.join(", ")
    }

    /// Returns whether the keys are spread over several servers.
    pub(super) fn is_cluster(&self) -> bool {
        match &self.kind {
            Kind::One(_) | Kind::Sentinels(_) => false,
            #[cfg(feature = "cluster")]
            Kind::Cluster(_) => true,
        }
    }

    /// Returns whether another server may take the place of the one that is connected to.
    pub(super) fn follows_master(&self) -> bool {
        matches!(self.kind, Kind::Sentinels(_))
    }

    /// Starts the budget of one attempt to connect.
    pub(super) fn budget(&self) -> Budget {
        Budget::start(self.connect_timeout)
    }

    /// Opens a connection within the budget, or returns why there is none.
    pub(super) async fn connect(&self, budget: Budget) -> Result<Link, String> {
        match self.open(budget).await {
            Ok(Ok(wire)) => Ok(Link::new(wire)),
            Ok(Err(error)) if !error.is_timeout() => Err(reason(&error)),
            _ => Err(self.no_answer()),
        }
    }

    async fn open(&self, budget: Budget) -> Result<Result<Wire, RedisError>, OutOfTime> {
        match &self.kind {
            Kind::One(server) => {
                let opened = budget.run(server.connect()).await?;
                Ok(opened.map(Wire::One))
            }
            #[cfg(feature = "cluster")]
            Kind::Cluster(client) => {
                let opened = budget.run(client.get_async_connection()).await?;
                Ok(opened.map(Wire::Cluster))
            }
            Kind::Sentinels(sentinels) => {
                let opened = sentinels.connect_to_master(budget).await?;
                Ok(opened.map(Wire::One))
            }
        }
    }

    fn no_answer(&self) -> String {
        let is_encrypted = |address| matches!(address, &ConnectionAddr::TcpTls { .. });
        // A server without TLS may wait in silence for the client to say something.
        let hint = if self.addresses.iter().any(is_encrypted) {
            " (if it does not speak TLS, the URL begins with redis://)"
        } else {
            ""
        };
        format!("no answer within {:?}{hint}", self.connect_timeout)
    }
}
