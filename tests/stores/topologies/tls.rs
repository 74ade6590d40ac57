//! Encrypted connections, to a server whose certificate a private authority has signed.

use ratelimit::{Quota, RedisStore, RedisStoreBuilder, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, eventually, patient, policy};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::everything;

/// Signs certificates that are trusted by those who have its own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut own = CertificateParams::default();
        own.distinguished_name.push(DnType::CommonName, name);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(own, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([name.to_owned()])
            .and_then(|params| params.signed_by(&key, &self.0))
            .expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server that speaks nothing but TLS. It asks clients for certificates, or does not.
    fn server(&self, asks_clients: bool) -> RedisServer {
        self.server_named("127.0.0.1", asks_clients)
    }

    /// The same with a certificate for this name.
    fn server_named(&self, name: &str, asks_clients: bool) -> RedisServer {
        self.server_with(name, asks_clients, &[], &[])
    }

    /// The same with more files and arguments.
    fn server_with(
        &self,
        name: &str,
        asks_clients: bool,
        more_files: &[(&str, &str)],
        more: &[&str],
    ) -> RedisServer {
        let (certificate, key) = self.sign(name);
        let authority = self.pem();
        let files = [
            ("ca.pem", &*authority),
            ("cert.pem", &certificate),
            ("key.pem", &key),
        ];
        let port = ["--port", "0", "--tls-port", "{port}"];
        let certificates = [
            "--tls-ca-cert-file",
            "ca.pem",
            "--tls-cert-file",
            "cert.pem",
        ];
        let rest = ["--tls-key-file", "key.pem", "--tls-auth-clients"];
        let asks = [if asks_clients { "yes" } else { "no" }];
        RedisServer::start_with(
            &[&files, more_files].concat(),
            &[&port[..], &certificates, &rest, &asks, more].concat(),
        )
    }
}

fn url(server: &RedisServer) -> String {
    format!("rediss://127.0.0.1:{}", server.port())
}

fn store(server: &RedisServer) -> RedisStoreBuilder {
    RedisStore::builder(url(server))
}

async fn error(builder: RedisStoreBuilder) -> String {
    let shown = format!("{builder:?}");
    let error = builder.connect().await.expect_err("it cannot connect");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    error.to_string()
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_it_is_given_and_no_other() {
    let ours = Authority::new("ours");
    let server = ours.server(false);
    let connected = patient(store(&server))
        .root_certificates(ours.pem())
        .connect()
        .await;
    let connected = connected.expect("a trusted server");
    everything::works(connected).await;

    let others = Authority::new("others");
    for builder in [
        store(&server).root_certificates(others.pem()),
        // Those that browsers trust.
        store(&server),
    ] {
        let error = error(builder).await;
        assert!(error.contains("UnknownIssuer"), "{error}");
        assert!(error.contains("root_certificates"), "{error}");
    }
    // The certificate is for the address, and not for that name.
    let by_name = url(&server).replace("127.0.0.1", "localhost");
    let error = error(RedisStore::builder(by_name).root_certificates(ours.pem())).await;
    assert!(
        error.contains("not valid for name \"localhost\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let ours = Authority::new("ours");
    let server = ours.server(true);
    let refused = error(store(&server).root_certificates(ours.pem())).await;
    assert!(refused.contains("CertificateRequired"), "{refused}");

    let (certificate, key) = ours.sign("web");
    let connected = patient(store(&server))
        .root_certificates(ours.pem())
        .client_certificate(certificate, key)
        .connect()
        .await
        .expect("a trusted client");
    everything::works(connected).await;
}

/// A server that is reached by its address, as that of a master mostly is which a sentinel names.
#[tokio::test]
async fn a_certificate_may_be_for_another_name_that_is_given() {
    let ours = Authority::new("ours");
    let server = ours.server_named("redis.internal", false);
    let store = || store(&server).root_certificates(ours.pem());
    let refused = error(store()).await;
    assert!(refused.contains("not valid for name"), "{refused}");
    let refused = error(store().tls_server_name("another.internal")).await;
    assert!(refused.contains("not valid for name"), "{refused}");
    let connected = patient(store().tls_server_name("redis.internal"));
    everything::works(connected.connect().await.expect("a trusted server")).await;
}

/// A cluster of one server, which has all slots and does not know its own address.
const NODES: &str = "0123456789abcdef0123456789abcdef01234567 :0@0 myself,master - 0 0 1 connected 0-16383\n\
                     vars currentEpoch 1 lastVoteEpoch 0\n";

#[tokio::test]
async fn the_servers_of_a_cluster_are_connected_to_as_its_seeds_are() {
    let ours = Authority::new("ours");
    let user = ["--user", "web", "on", ">p@ss/word", "~*", "+@all"];
    let cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
    let server = ours.server_with(
        "localhost",
        false,
        &[("nodes.conf", NODES)],
        &[&cluster[..], &user].concat(),
    );
    let port = server.port();
    let store = |url: String| patient(RedisStore::cluster([url])).root_certificates(ours.pem());
    let login = store(format!("rediss://web:p%40ss%2Fword@localhost:{port}"));
    // For two seconds from its start a server waits for what others say of its slots.
    let is_up = async || login.clone().connect().await.is_ok();
    eventually("a cluster", is_up).await;
    let connected = login.connect().await.expect("a cluster");
    everything::works(connected).await;

    // The certificate is for the name, and not for the address.
    let wrong = error(store(format!("rediss://127.0.0.1:{port}"))).await;
    assert!(wrong.contains("not valid for name"), "{wrong}");
    let named = store(format!("rediss://127.0.0.1:{port}")).tls_server_name("localhost");
    let named = named.connect().await.expect("a cluster");
    let bucket = bucket(policy("named", ALGORITHMS[0], Quota::per_hour(5)), 1);
    named.check(&bucket, 1).await.expect("a check");
}

#[tokio::test]
async fn settings_that_cannot_work_say_what_would() {
    let ours = Authority::new("ours");
    let (certificate, key) = ours.sign("web");
    let plain = RedisServer::shared();
    let plain_url = plain.url();
    let unencrypted = || RedisStore::builder(&plain_url);
    let encrypted = || RedisStore::builder("rediss://127.0.0.1:1");
    for (builder, mend) in [
        (unencrypted().root_certificates(ours.pem()), "rediss://"),
        (
            unencrypted().client_certificate(&*certificate, &*key),
            "rediss://",
        ),
        (unencrypted().tls_server_name("redis.internal"), "rediss://"),
        (encrypted().tls_server_name("not a name"), "redis.internal"),
        (
            encrypted().root_certificates("ca.pem"),
            "-----BEGIN CERTIFICATE-----",
        ),
        (
            encrypted().client_certificate(&*key, &*certificate),
            "-----BEGIN PRIVATE KEY-----",
        ),
        (
            RedisStore::builder("rediss://127.0.0.1#insecure"),
            "root_certificates",
        ),
        (store(plain), "begins with redis://"),
    ] {
        let error = error(builder).await;
        assert!(error.contains(mend), "{error}");
    }
}
