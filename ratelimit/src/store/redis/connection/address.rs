//! Where Redis is, and how to get there.

use std::sync::Arc;

use redis::{ConnectionInfo, IntoConnectionInfo, parse_redis_url};

use super::{credentials::CredentialsProvider, error::ConnectError, server::Server, tls::Tls};

/// What a store is told about where Redis is. There are secrets in it.
#[derive(Clone)]
pub(in super::super) struct Address {
    pub(super) servers: Servers,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Arc<CredentialsProvider>>,
}

/// The URLs of servers, and what they are together.
#[derive(Clone)]
pub(super) enum Servers {
    One(String),
    #[cfg(feature = "cluster")]
    Cluster(Vec<String>),
    Sentinels {
        sentinels: Vec<String>,
        master: String,
    },
}

impl Address {
    pub(in super::super) fn new(url: impl Into<String>) -> Self {
        Self::of(Servers::One(url.into()))
    }

    #[cfg(feature = "cluster")]
    pub(in super::super) fn cluster(urls: Vec<String>) -> Self {
        Self::of(Servers::Cluster(urls))
    }

    pub(super) fn of(servers: Servers) -> Self {
        Self {
            servers,
            tls: Tls::default(),
            credentials: None,
        }
    }

    /// Whether the settings can work with these URLs.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        let urls: Vec<&String> = match &self.servers {
            Servers::One(url) => vec![url],
            #[cfg(feature = "cluster")]
            Servers::Cluster(urls) if urls.is_empty() => {
                return Err(ConnectError::Setting(
                    "a cluster needs the URL of at least one of its servers",
                ));
            }
            #[cfg(feature = "cluster")]
            Servers::Cluster(urls) => urls.iter().collect(),
            Servers::Sentinels { sentinels, .. } if sentinels.is_empty() => {
                return Err(ConnectError::Setting(
                    "a master needs the URL of at least one of its sentinels",
                ));
            }
            Servers::Sentinels { sentinels, master } => sentinels.iter().chain([master]).collect(),
        };
        // A sentinel's URL may have a password: its credentials are its own.
        let servers = match &self.servers {
            Servers::Sentinels { master, .. } => std::slice::from_ref(master),
            Servers::One(url) => std::slice::from_ref(url),
            #[cfg(feature = "cluster")]
            Servers::Cluster(urls) => urls,
        };
        let has_password = |url: &String| {
            let url = parse_redis_url(url);
            url.is_some_and(|url| url.password().is_some() || !url.username().is_empty())
        };
        if self.credentials.is_some() && servers.iter().any(has_password) {
            return Err(ConnectError::Setting(
                "credentials and a user or password in the URL exclude each other: leave those in \
                 the URL out",
            ));
        }
        let is_encrypted = |url: &&String| {
            let url = parse_redis_url(url);
            url.is_some_and(|url| matches!(url.scheme(), "rediss" | "valkeys"))
        };
        self.tls.check(urls.iter().any(is_encrypted))
    }

    /// What a URL says, with the certificates.
    pub(super) fn read(&self, url: &str) -> Result<ConnectionInfo, ConnectError> {
        let info = url
            .into_connection_info()
            .map_err(|error| ConnectError::url(&error))?;
        self.tls.apply(info)
    }

    /// Returns a server that holds data, with the login and the certificates of the settings.
    pub(super) fn server(&self, info: ConnectionInfo) -> Server {
        self.sentinel(info)
            .with_credentials(self.credentials.clone())
    }

    /// Returns a sentinel, whose login is in its URL.
    pub(super) fn sentinel(&self, info: ConnectionInfo) -> Server {
        Server::new(info).with_certified_name(self.tls.server_name())
    }

    pub(super) fn read_all(&self, urls: &[String]) -> Result<Vec<ConnectionInfo>, ConnectError> {
        urls.iter().map(|url| self.read(url)).collect()
    }
}
