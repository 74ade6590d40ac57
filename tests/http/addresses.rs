//! The client's address: the table of `addresses.txt`, by the limiter alone and over real sockets.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, connect_info::MockConnectInfo},
    http::Request,
    routing::get,
};
use http::{HeaderName, HeaderValue, request::Parts};
use ratelimit::{
    Bucket, Builder, Caller, ClientId, ForwardedHeader, Policy, PolicySource, RateLimiter,
    dashboard, policy, rate_limit,
};
use ratelimit_tests::App;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixListener, UnixStream},
    task::JoinHandle,
};

use crate::limiters_with;

const LIMIT: u32 = 1_000;

policy! {
    ByAddress: limit = LIMIT, per = "1h", key = ip, name = "by the client's address"
}

#[rate_limit(policy = ByAddress)]
async fn by_address() {}

fn by_address_policy() -> &'static Policy {
    ByAddress::limits()[0].policy()
}

/// A row of the table, with the settings above it.
struct Row {
    line: usize,
    settings: &'static str,
    /// `None` if it has no address.
    peer: Option<IpAddr>,
    headers: Vec<(&'static str, Vec<u8>)>,
    client: ClientId,
    is_certain: bool,
}

fn rows() -> Vec<Row> {
    let mut settings = "";
    let mut rows = Vec::new();
    for (at, line) in include_str!("addresses.txt").lines().enumerate() {
        if let Some(named) = line.strip_prefix('[') {
            settings = named.strip_suffix(']').expect("settings in brackets");
        } else if !line.is_empty() && !line.starts_with('#') {
            rows.push(row(at + 1, settings, line));
        }
    }
    rows
}

fn row(line: usize, settings: &'static str, text: &'static str) -> Row {
    let columns: Vec<&str> = text.split('|').map(str::trim).collect();
    let [peer, headers, client] = columns[..] else {
        panic!("line {line}: three columns");
    };
    let header = |line: &'static str| {
        let (name, value) = line.split_once(':').expect("a header");
        (name, bytes(value.trim()))
    };
    let (is_certain, client) = match client.strip_prefix("behind ") {
        Some(proxy) => (false, proxy),
        None => (client != "unknown", client),
    };
    Row {
        line,
        settings,
        peer: (peer != "socket").then(|| peer.parse().expect("an address")),
        headers: headers
            .split("//")
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(header)
            .collect(),
        client: match client {
            "socket" | "unknown" => ClientId::UNKNOWN_IP,
            address => format!("ip:{address}").parse().expect("a client"),
        },
        is_certain,
    }
}

/// The bytes of a text, in which `<ff>` is the byte 0xff.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in text.split('<') {
        match piece.split_once('>') {
            Some((byte, rest)) => {
                bytes.push(u8::from_str_radix(byte, 16).expect("two digits"));
                bytes.extend(rest.bytes());
            }
            None => bytes.extend(piece.bytes()),
        }
    }
    bytes
}

impl Row {
    fn builder(&self) -> Builder {
        let mut builder = RateLimiter::builder();
        for setting in self.settings.split_whitespace() {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            builder = match name {
                "networks" => builder.trusted_proxies(value.split(',')),
                "hops" => builder.trusted_hops(value.parse().expect("a number")),
                "socket" => builder.trusted_socket(),
                "prefix" => builder.ipv6_prefix(value.parse().expect("a number")),
                "header" => builder.forwarded_header(forwarded_header(value)),
                _ => panic!("line {}: {name}", self.line),
            };
        }
        builder
    }

    fn limiter(&self) -> RateLimiter {
        self.builder().build().expect("nothing is wrong with it")
    }

    /// The same, by which each address that is certain is exempt.
    fn limiter_for_unknown_clients(&self) -> RateLimiter {
        let everything = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"];
        let builder = self.builder().exempt_networks(everything);
        builder.build().expect("nothing is wrong with it")
    }

    fn parts(&self) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let value = HeaderValue::from_bytes(value).expect("a value");
            parts.headers.append(name, value);
        }
        parts
    }

    /// Asserts that the client is charged, if it is to be charged at all, and no other client.
    async fn assert_charged(&self, limiter: &RateLimiter, is_exempt: bool) {
        let buckets = limiter.buckets_of(self.client).await.expect("in memory");
        let left: Vec<u32> = buckets.iter().map(|bucket| bucket.remaining).collect();
        let expected: &[u32] = if is_exempt { &[] } else { &[LIMIT - 1] };
        let (line, client) = (self.line, self.client);
        assert_eq!(left, expected, "line {line}: it is charged to {client}");
    }
}

fn forwarded_header(name: &str) -> ForwardedHeader {
    match name {
        "Forwarded" => ForwardedHeader::Forwarded,
        // In the tests of errors "forwarded" is a header with one address.
        name => ForwardedHeader::Address(name.parse().expect("a name")),
    }
}

#[tokio::test]
async fn each_request_is_charged_to_the_client_of_the_table() {
    let rows = rows();
    assert!(rows.len() >= 150, "{}", rows.len());
    for row in rows {
        let parts = row.parts();
        let caller = Caller::new(&parts).with_peer(row.peer);
        for (limiter, is_exempt) in [
            (row.limiter(), false),
            (row.limiter_for_unknown_clients(), row.is_certain),
        ] {
            let status = limiter.check(by_address_policy(), caller).await;
            assert!(status.is_allowed());
            row.assert_charged(&limiter, is_exempt).await;
        }
    }
}

#[tokio::test]
async fn each_request_over_a_socket_is_charged_to_the_client_of_the_table() {
    let mut count = 0;
    for row in rows() {
        let is_local = row.peer == Some([127, 0, 0, 1].into());
        if !is_local && row.peer.is_some() {
            continue;
        }
        count += 1;
        for (limiter, is_exempt) in [
            (row.limiter(), false),
            (row.limiter_for_unknown_clients(), row.is_certain),
        ] {
            let router = Router::new()
                .route("/", get(by_address))
                .layer(Extension(limiter.clone()));
            if is_local {
                let app = App::start(router).await;
                let connection = TcpStream::connect(("127.0.0.1", app.port())).await;
                send(connection.expect("a connection"), &row).await;
            } else {
                let app = UnixApp::start(router);
                let connection = UnixStream::connect(&app.path).await;
                send(connection.expect("a connection"), &row).await;
            }
            row.assert_charged(&limiter, is_exempt).await;
        }
    }
    assert!(count >= 25, "{count}");
}

/// Sends a request with the headers of a row, byte by byte as the table has them.
async fn send(mut connection: impl AsyncRead + AsyncWrite + Unpin, row: &Row) {
    let mut request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".to_vec();
    for (name, value) in &row.headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    connection.write_all(&request).await.expect("it is sent");
    let mut answer = Vec::new();
    let read = connection.read_to_end(&mut answer);
    let read = tokio::time::timeout(Duration::from_secs(60), read).await;
    read.expect("an answer").expect("an answer");
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "line {}: {answer}",
        row.line
    );
}

/// An app on a Unix socket, as behind a proxy on the same machine.
struct UnixApp {
    path: PathBuf,
    server: JoinHandle<()>,
}

impl UnixApp {
    fn start(router: Router) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ratelimit-{}-{count}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).expect("a socket");
        let server = async { axum::serve(listener, router).await.expect("it serves") };
        Self {
            path,
            server: tokio::spawn(server),
        }
    }
}

impl Drop for UnixApp {
    fn drop(&mut self) {
        self.server.abort();
        // If it is gone already, there is nothing to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test]
async fn a_network_is_exempt_by_addresses_that_are_certain_in_each_form() {
    let proxy = ("x-forwarded-for", "203.0.113.7");
    let rubbish = ("x-forwarded-for", "10.1.2.3, rubbish");
    let none = ("accept", "*/*");
    for (exempt, peer, header, is_exempt) in [
        ("10.1.0.0/16", "10.1.2.3", none, true),
        ("10.1.0.0/16", "::ffff:10.1.2.3", none, true),
        ("::ffff:10.1.0.0/112", "10.1.2.3", none, true),
        ("10.1.0.0/16", "::ffff:10.2.2.3", none, false),
        // The well-known prefix is not for private addresses, whatever the sender makes of it.
        ("10.1.0.0/16", "64:ff9b::10.1.2.3", none, false),
        ("64:ff9b::/96", "64:ff9b::10.1.2.3", none, true),
        ("2001:db8::/32", "2001:db8::1", none, true),
        ("203.0.113.0/24", "192.0.2.1", proxy, true),
        ("203.0.113.0/24", "::ffff:192.0.2.1", proxy, true),
        ("203.0.113.0/24", "192.0.2.2", proxy, false),
        // The proxy at 192.0.2.1 is never exempt.
        ("192.0.2.0/24", "192.0.2.1", proxy, false),
        ("192.0.2.0/24", "192.0.2.1", rubbish, false),
        ("192.0.2.0/24", "192.0.2.1", none, false),
        ("192.0.2.0/24", "192.0.2.2", none, true),
        ("10.1.0.0/16", "192.0.2.1", rubbish, false),
    ] {
        let builder = RateLimiter::builder().trusted_proxies(["192.0.2.1"]);
        let limiter = builder.exempt_networks([exempt]).build();
        let limiter = limiter.expect("nothing is wrong with it");
        let request = Request::get("/").header(header.0, header.1);
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let caller = Caller::new(&parts).with_peer(Some(peer.parse().expect("an address")));
        let status = limiter.check(by_address_policy(), caller).await;
        let is_limited = status.remaining().is_some();
        assert_ne!(is_limited, is_exempt, "{exempt} {peer} {header:?}");
    }
}

#[tokio::test]
async fn an_operator_finds_an_ipv6_client_by_its_address_whatever_the_prefix_is() {
    const ADDRESS: &str = "2001:db8:1:2ff:3:4:5:6";

    for (limiter, _clock) in limiters_with("ipv6_prefix", |builder| builder.ipv6_prefix(56)).await {
        let (mut parts, ()) = Request::new(()).into_parts();
        let peer: IpAddr = ADDRESS.parse().expect("an address");
        parts
            .extensions
            .insert(ConnectInfo(SocketAddr::new(peer, 4711)));
        let check = async || {
            limiter
                .check(by_address_policy(), Caller::new(&parts))
                .await
        };
        check().await;

        let network = "ip:2001:db8:1:200::/56";
        for client in [
            ADDRESS,
            "ip:2001:db8:1:2aa::1",
            network,
            "ip:2001:db8:1:2ff::/64",
        ] {
            let client: ClientId = client.parse().expect("a client");
            let found = limiter.buckets_of(client).await.expect("a store");
            let [standing] = &*found else {
                panic!("{client}: {found:?}");
            };
            assert_eq!(standing.remaining, LIMIT - 1, "{client}");
            assert_eq!(standing.bucket.client().to_string(), network);
            assert_eq!(limiter.client_digest(client), network);

            let tier = by_address_policy().default_tier();
            let bucket = Bucket::new(by_address_policy(), tier, client).expect("limited");
            assert_eq!(
                limiter.peek(&bucket).await.expect("a store").remaining,
                LIMIT - 1
            );
            limiter.reset(&bucket).await.expect("a store");
            assert_eq!(
                limiter.peek(&bucket).await.expect("a store").remaining,
                LIMIT
            );
            check().await;
            assert_eq!(
                limiter.reset_client(client).await.expect("a store").len(),
                1
            );
            assert_eq!(
                limiter.peek(&bucket).await.expect("a store").remaining,
                LIMIT
            );
            check().await;
        }
        let other = ClientId::ip("2001:db8:1:300::1".parse().expect("an address"));
        assert_eq!(limiter.buckets_of(other).await.expect("a store"), []);
    }
}

#[tokio::test]
async fn the_dashboard_finds_an_ipv6_client_by_its_address() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    let limiter = RateLimiter::builder().ipv6_prefix(48).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let (parts, ()) = Request::new(()).into_parts();
    let peer = "2001:db8:1:2::3".parse().expect("an address");
    let caller = Caller::new(&parts).with_peer(Some(peer));
    limiter.check(by_address_policy(), caller).await;

    let page = dashboard(limiter).token(TOKEN).expect("long enough");
    let app = App::start(Router::new().nest("/limits", page.into_router())).await;
    let request = app.post("/limits/api/clients/peek").bearer_auth(TOKEN);
    let request = request.json(&json!({ "client": "2001:db8:1:2::3" }));
    let answer = request.send().await.expect("an answer");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["client"], "ip:2001:db8:1::/48");
    assert_eq!(answer["buckets"][0]["remaining"], LIMIT - 1);
}

#[tokio::test]
async fn a_caller_has_the_peer_that_the_app_is_served_with() {
    let limiter = RateLimiter::builder().build().expect("nothing is wrong");
    let address = |n| SocketAddr::from(([203, 0, 113, n], 4711));
    let client = |n| ClientId::ip(address(n).ip());
    let (mut parts, ()) = Request::new(()).into_parts();
    let check = async |parts: &Parts| {
        limiter.check(by_address_policy(), Caller::new(parts)).await;
    };
    let left = async |client| {
        let found = limiter.buckets_of(client).await.expect("in memory");
        found.first().map(|standing| standing.remaining)
    };
    check(&parts).await;
    assert_eq!(left(ClientId::UNKNOWN_IP).await, Some(LIMIT - 1));
    parts.extensions.insert(MockConnectInfo(address(1)));
    check(&parts).await;
    assert_eq!(left(client(1)).await, Some(LIMIT - 1));
    parts.extensions.insert(ConnectInfo(address(2)));
    check(&parts).await;
    assert_eq!(left(client(2)).await, Some(LIMIT - 1));

    let caller = Caller::new(&parts).with_peer(Some(address(3).ip()));
    limiter.check(by_address_policy(), caller).await;
    assert_eq!(left(client(3)).await, Some(LIMIT - 1));
    let caller = Caller::new(&parts).with_peer(None);
    limiter.check(by_address_policy(), caller).await;
    assert_eq!(left(ClientId::UNKNOWN_IP).await, Some(LIMIT - 2));
    // Connections of a kind that has no address.
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions.insert(ConnectInfo("a Unix socket"));
    check(&parts).await;
    assert_eq!(left(ClientId::UNKNOWN_IP).await, Some(LIMIT - 3));
}

#[test]
fn a_wrong_setting_of_addresses_is_an_error_that_names_it() {
    let builder = RateLimiter::builder;
    let address_in = |header| {
        builder()
            .trusted_socket()
            .forwarded_header(forwarded_header(header))
    };
    let both = "leave out trusted_hops";
    let cases = [
        (
            builder().trusted_hops(0),
            "trusted_hops: 0 is not a number of proxies from 1 to 32",
        ),
        (builder().trusted_hops(33), "trusted_hops: 33"),
        (
            builder().trusted_hops(1).trusted_proxies(["10.0.0.0/8"]),
            both,
        ),
        (builder().trusted_hops(1).trusted_socket(), both),
        (
            builder()
                .trusted_hops(2)
                .forwarded_header(forwarded_header("X-Real-IP")),
            "trusted_hops(2): x-real-ip holds one address",
        ),
        (
            address_in("X-Forwarded-For"),
            "use ForwardedHeader::XForwardedFor",
        ),
        (
            address_in("forwarded"),
            "forwarded_header: forwarded holds a list",
        ),
        (
            address_in("connection"),
            "connection does not hold the client's address",
        ),
        (
            address_in("host"),
            "host does not hold the client's address",
        ),
        (
            builder().ipv6_prefix(0),
            "ipv6_prefix: 0 is not from 32 to 64",
        ),
        (builder().ipv6_prefix(31), "ipv6_prefix: 31"),
        (builder().ipv6_prefix(65), "ipv6_prefix: 65"),
        (builder().ipv6_prefix(128), "ipv6_prefix: 128"),
    ];
    for (builder, named) in cases {
        let error = builder.build().expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
    }
    for length in [32, 64] {
        assert!(builder().ipv6_prefix(length).build().is_ok(), "{length}");
    }
}
