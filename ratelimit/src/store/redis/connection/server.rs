//! One server, and how to open a connection to it.

use std::sync::Arc;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, RedisError,
    aio::MultiplexedConnection,
};

use super::{credentials::CredentialsProvider, tls::ServerName};

/// Where a server is, and what it takes to log in there.
#[derive(Clone)]
pub(in super::super) struct Server {
    info: ConnectionInfo,
    credentials: Option<Arc<CredentialsProvider>>,
    certified_name: Option<ServerName>,
}

impl Server {
    /// Returns the server that a URL names.
    pub(super) fn new(info: ConnectionInfo) -> Self {
        // Some proxies close a connection on which they are told the name of a client's library.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Self {
            info: info.set_redis_settings(settings),
            credentials: None,
            certified_name: None,
        }
    }

    /// Asks this provider for the user and password each time that a connection is opened.
    pub(super) fn with_credentials(self, credentials: Option<Arc<CredentialsProvider>>) -> Self {
        Self {
            credentials,
            ..self
        }
    }

    /// Expects a certificate for this name instead of one for the host.
    pub(super) fn with_certified_name(self, certified_name: Option<ServerName>) -> Self {
        Self {
            certified_name,
            ..self
        }
    }

    /// Returns the same server at another address, with the same encryption and login.
    pub(in super::super) fn at(&self, host: String, port: u16) -> Self {
        let address = match self.info.addr().clone() {
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
        };
        Self {
            info: self.info.clone().set_addr(address),
            ..self.clone()
        }
    }

    /// Returns where the server is; no password is in it.
    #[cfg(feature = "cluster")]
    pub(in super::super) fn address(&self) -> &ConnectionAddr {
        self.info.addr()
    }

    /// Returns the host of the URL, which is empty for a Unix socket.
    pub(super) fn host(&self) -> &str {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    /// Opens a connection and logs in. It takes as long as the network and the server take: the
    /// caller limits it.
    pub(in super::super) async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut info = self.info.clone();
        if let Some(provider) = &self.credentials {
            let credentials = provider.get().await?;
            let settings = info.redis_settings().clone();
            info = info.set_redis_settings(credentials.apply(settings));
        }
        if let Some(name) = &self.certified_name {
            (info, config) = name.apply(info, config);
        }
        Client::open(info)?
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }
}
