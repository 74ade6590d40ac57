//! Encrypted connections: whom to trust, and whom to say one is.

#[cfg(feature = "cluster")]
use redis::cluster::ClusterClientBuilder;
use redis::{Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, TlsCertificates};
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
}

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
}

impl Tls {
    /// Whether the settings can work, on an encrypted connection or on one that is not.
    pub(super) fn check(&self, encrypted: bool) -> Result<(), ConnectError> {
        let no_certificate = |pem: &Vec<u8>| CertificateDer::from_pem_slice(pem).is_err();
        let not_both = |own: &Own| {
            no_certificate(&own.certificate) || PrivateKeyDer::from_pem_slice(&own.key).is_err()
        };
        let problem = if !encrypted && (self.roots.is_some() || self.own.is_some()) {
            "root_certificates and client_certificate are of use with a rediss:// URL only"
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

    /// The certificates for those servers, too, that are learned of later.
    #[cfg(feature = "cluster")]
    pub(super) fn in_cluster(
        &self,
        builder: ClusterClientBuilder,
        servers: &[ConnectionInfo],
    ) -> ClusterClientBuilder {
        let encrypted =
            |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        if servers.iter().any(encrypted) {
            builder.certs(self.certificates())
        } else {
            builder
        }
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
