//! What a pool connects to: a server, or the server that sentinels name as the master.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError};

use super::{
    address::{Address, Servers},
    error::{ConnectError, reason},
    link::{Link, Wire},
    sentinel::Sentinels,
    server::Server,
};
use crate::{
    budget::{Budget, OutOfTime},
    foreign_text::ForeignText,
};

/// An address that was read and checked.
pub(in super::super) struct Target {
    kind: Kind,
    addresses: Vec<ConnectionAddr>,
    connect_timeout: Duration,
}

enum Kind {
    One(Box<Server>),
    Sentinels(Box<Sentinels>),
}

/// What the URLs of a store turn out to be.
pub(in super::super) enum Resolved {
    Target(Target),
    /// The servers of a cluster that are known from the beginning.
    #[cfg(feature = "cluster")]
    Seeds(Vec<Server>),
}

impl Resolved {
    pub(in super::super) fn new(
        address: &Address,
        connect_timeout: Duration,
    ) -> Result<Self, ConnectError> {
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
                check_agreement(&servers)?;
                let seeds = servers.into_iter().map(|info| address.server(info));
                return Ok(Self::Seeds(seeds.collect()));
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
        Ok(Self::Target(Target {
            kind,
            addresses,
            connect_timeout,
        }))
    }
}

impl Target {
    /// Returns the target that is this server.
    #[cfg(feature = "cluster")]
    pub(in super::super) fn to_server(server: Server, connect_timeout: Duration) -> Self {
        Self {
            addresses: vec![server.address().clone()],
            kind: Kind::One(Box::new(server)),
            connect_timeout,
        }
    }

    /// Returns hosts and ports, or the path of a socket; no password is in it.
    pub(super) fn name(&self) -> String {
        let names: Vec<String> = self
            .addresses
            .iter()
            .map(|address| ForeignText(address).to_string())
            .collect();
        names.join(", ")
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
            _ => Err(no_answer_within(self.connect_timeout, &self.addresses)),
        }
    }

    async fn open(&self, budget: Budget) -> Result<Result<Wire, RedisError>, OutOfTime> {
        match &self.kind {
            Kind::One(server) => {
                let opened = budget.run(server.connect()).await?;
                Ok(opened.map(Wire))
            }
            Kind::Sentinels(sentinels) => {
                let opened = sentinels.connect_to_master(budget).await?;
                Ok(opened.map(Wire))
            }
        }
    }
}

/// Checks that the seeds of a cluster can stand for each other and for the servers that they name.
#[cfg(feature = "cluster")]
fn check_agreement(seeds: &[ConnectionInfo]) -> Result<(), ConnectError> {
    let is_socket = |seed: &ConnectionInfo| matches!(seed.addr(), ConnectionAddr::Unix(_));
    if seeds.iter().any(is_socket) {
        return Err(ConnectError::Setting(
            "a cluster cannot be reached by a unix socket: its servers name each other by host and \
             port",
        ));
    }
    let settings = |seed: &ConnectionInfo| {
        let is_encrypted = matches!(seed.addr(), ConnectionAddr::TcpTls { .. });
        let login = seed.redis_settings();
        let (user, password) = (login.username(), login.password());
        (
            is_encrypted,
            user.map(str::to_owned),
            password.map(str::to_owned),
        )
    };
    let first = seeds.first().map(settings);
    if seeds.iter().any(|seed| Some(settings(seed)) != first) {
        return Err(ConnectError::Setting(
            "the URLs of a cluster's servers must have the same user and password, and all of them or \
             none begin with rediss://",
        ));
    }
    Ok(())
}

/// Returns the error of servers at these addresses that did not answer.
pub(in super::super) fn no_answer_within<'a>(
    connect_timeout: Duration,
    addresses: impl IntoIterator<Item = &'a ConnectionAddr>,
) -> String {
    let is_encrypted = |address| matches!(address, &ConnectionAddr::TcpTls { .. });
    // A server without TLS may wait in silence for the client to say something.
    let hint = if addresses.into_iter().any(is_encrypted) {
        " (if it does not speak TLS, the URL begins with redis://)"
    } else {
        ""
    };
    format!("no answer within {connect_timeout:?}{hint}")
}
