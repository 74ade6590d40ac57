//! Encrypted connections: whom to trust, and whom to say one is.

use std::{net::SocketAddr, sync::Arc};

use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, RedisFuture,
    TlsCertificates, io::AsyncDNSResolver,
};
use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{
    super::RedisStoreBuilder,
    error::{ConnectError, reason},
};

/// Certificates in PEM form. One of them may be a private key.
#[derive(Clone, Default)]
pub(super) struct Tls {
    roots: Option<Vec<u8>>,
    own: Option<Own>,
    server_name: Option<ServerName>,
}

/// The name that a certificate has to be for, if that is not the host that is connected to.
#[derive(Clone)]
pub(super) struct ServerName(Arc<str>);

/// What a client shows to a server that asks for it.
#[derive(Clone)]
struct Own {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl RedisStoreBuilder {
    /// The certificates of the authorities that may have signed the server's, in PEM form, and no
    /// others; if not set, those that browsers trust too. It is for `rediss://` URLs, where the
    /// server's certificate must be for the host in the URL.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// let redis = ratelimit::RedisStore::builder("rediss://redis.internal:6379")
    ///     .root_certificates(std::fs::read("/etc/ssl/our-ca.pem")?)
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.address.tls.roots = Some(pem.into());
        self
    }

    /// The certificate to show to a server that asks clients for one (mutual TLS), followed by those
    /// in between it and the authority, and its private key; both in PEM form.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.address.tls.own = Some(Own {
            certificate: certificate.into(),
            key: key.into(),
        });
        self
    }

    /// Sets the name that the server's certificate has to be for, instead of the host that is
    /// connected to.
    ///
    /// It is for servers that are reached by an IP address while their certificates are for a name:
    /// the masters that sentinels mostly give the addresses of, the members of a cluster, or a server
    /// behind a tunnel. It counts for all encrypted connections of the store, those to sentinels with
    /// `rediss://` URLs included.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// let redis = ratelimit::RedisStore::sentinel(["redis://sentinel-1:26379"], "rediss://mymaster")
    ///     .tls_server_name("redis.internal")
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn tls_server_name(mut self, name: impl Into<String>) -> Self {
        self.address.tls.server_name = Some(ServerName(name.into().into()));
        self
    }
}

impl ServerName {
    /// Returns how to connect to the same address and verify this name.
    pub(super) fn apply(
        &self,
        info: ConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> (ConnectionInfo, AsyncConnectionConfig) {
        let ConnectionAddr::TcpTls {
            host,
            port,
            insecure,
            tls_params,
        } = info.addr().clone()
        else {
            return (info, config);
        };
        let named = ConnectionAddr::TcpTls {
            host: self.0.to_string(),
            port,
            insecure,
            tls_params,
        };
        // The redis crate verifies the name that it resolves.
        let config = config.set_dns_resolver(HostResolver(host));
        (info.set_addr(named), config)
    }
}

/// Resolves every name to the addresses of this host.
struct HostResolver(String);

impl AsyncDNSResolver for HostResolver {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _name: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((self.0.as_str(), port)).await?;
            let addresses: Vec<SocketAddr> = addresses.collect();
            let addresses: Box<dyn Iterator<Item = SocketAddr> + Send> =
                Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

impl Tls {
    /// Whether the settings can work, on an encrypted connection or on one that is not.
    pub(super) fn check(&self, encrypted: bool) -> Result<(), ConnectError> {
        let no_certificate = |pem: &Vec<u8>| CertificateDer::from_pem_slice(pem).is_err();
        let not_both = |own: &Own| {
            no_certificate(&own.certificate) || PrivateKeyDer::from_pem_slice(&own.key).is_err()
        };
        let is_no_name =
            |name: &ServerName| rustls::pki_types::ServerName::try_from(&*name.0).is_err();
        let is_set = self.roots.is_some() || self.own.is_some() || self.server_name.is_some();
        let problem = if !encrypted && is_set {
            "root_certificates, client_certificate and tls_server_name need a rediss:// URL"
        } else if self.server_name.as_ref().is_some_and(is_no_name) {
            "tls_server_name must be a DNS name such as redis.internal, or an IP address"
        } else if self.roots.as_ref().is_some_and(no_certificate) {
            "root_certificates must be in PEM form: -----BEGIN CERTIFICATE-----, and so on"
        } else if self.own.as_ref().is_some_and(not_both) {
            "client_certificate must be a certificate (-----BEGIN CERTIFICATE-----) and its private \
             key (-----BEGIN PRIVATE KEY-----), both in PEM form"
        } else {
            return Ok(());
        };
        Err(ConnectError::Setting(problem))
    }

    /// How to connect, with the certificates.
    pub(super) fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, ConnectError> {
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => Err(ConnectError::Setting(
                "#insecure is not for this crate: give the authority that signed the server's \
                 certificate to RedisStoreBuilder::root_certificates",
            )),
            ConnectionAddr::TcpTls { .. } => {
                choose_provider();
                let wrong = |error| ConnectError::Connect {
                    server: info.addr().to_string(),
                    reason: reason(&error),
                };
                let client = Client::build_with_tls(info.clone(), self.certificates());
                let client = client.map_err(wrong)?;
                Ok(client.get_connection_info().clone())
            }
            _ => Ok(info),
        }
    }

    /// Returns the name that certificates have to be for, if it is set.
    pub(super) fn server_name(&self) -> Option<ServerName> {
        self.server_name.clone()
    }

    fn certificates(&self) -> TlsCertificates {
        TlsCertificates {
            root_cert: self.roots.clone(),
            client_tls: self.own.clone().map(|own| ClientTlsConfig {
                client_cert: own.certificate,
                client_key: own.key,
            }),
        }
    }
}

/// The redis crate goes by the process's provider of cryptography, and panics where there is none
/// and several would do. One that the application has installed stays.
fn choose_provider() {
    if CryptoProvider::get_default().is_none() {
        // Lost to somebody who was faster: then there is one.
        let _ = ring::default_provider().install_default();
    }
}
