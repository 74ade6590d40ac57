//! Where Redis is, and how to get there.

use redis::{ConnectionInfo, IntoConnectionInfo, parse_redis_url};

use super::{error::ConnectError, tls::Tls};

/// What a store is told about where Redis is. There are secrets in it.
#[derive(Clone)]
pub(in super::super) struct Address {
    pub(super) servers: Servers,
    pub(super) tls: Tls,
}

/// The URLs of servers, and what they are together.
#[derive(Clone)]
pub(super) enum Servers {
    One(String),
    #[cfg(feature = "cluster")]
    Cluster(Vec<String>),
}

impl Address {
    pub(in super::super) fn new(url: impl Into<String>) -> Self {
        Self::of(Servers::One(url.into()))
    }

    pub(super) fn of(servers: Servers) -> Self {
        Self {
            servers,
            tls: Tls::default(),
        }
    }

    /// What a URL says, with the certificates.
    pub(super) fn read(&self, url: &str) -> Result<ConnectionInfo, ConnectError> {
        let scheme = parse_redis_url(url).map(|url| url.scheme().to_owned());
        self.tls
            .check(matches!(scheme.as_deref(), Some("rediss" | "valkeys")))?;
        let info = url
            .into_connection_info()
            .map_err(|error| ConnectError::url(&error))?;
        self.tls.apply(info)
    }
}
