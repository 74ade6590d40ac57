//! `key = host`: tenants of one address have buckets of their own.
//!
//! The policies are written by hand, as all limiters of a program need a setting of hosts if the
//! attribute has this key. Those of the attribute are in `namesakes.rs`.

use std::{net::SocketAddr, time::Duration};

use axum::{Extension, Router, response::Response, routing::get};
use ratelimit::{
    Algorithm, Builder, ClientId, Key, Limit, NoIdentity, Policy, PolicySource, Quota,
    RateLimitLayer, RateLimited, RateLimiter, Tier,
};
use ratelimit_tests::App;
use reqwest::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::limiters_with;

static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_minute(2))];

struct ByHost;

impl PolicySource for ByHost {
    type Identity = NoIdentity;

    fn limits() -> &'static [&'static Limit] {
        static LIMIT: Limit =
            Limit::new(Policy::new("by host", Algorithm::FixedWindow, &TIERS).with_key(Key::Host));
        static ALL: [&Limit; 1] = [&LIMIT];
        &ALL
    }
}

struct ByHostAndPath;

impl PolicySource for ByHostAndPath {
    type Identity = NoIdentity;

    fn limits() -> &'static [&'static Limit] {
        static LIMIT: Limit = Limit::new(
            Policy::new("by host and path", Algorithm::FixedWindow, &TIERS)
                .with_key(Key::All(&[Key::Host, Key::Path("id")])),
        );
        static ALL: [&Limit; 1] = [&LIMIT];
        &ALL
    }
}

async fn by_host(nothing: RateLimited<ByHost, ()>) -> Response {
    let (responder, ()) = nothing.into_parts();
    responder.respond("done").await
}

async fn by_host_and_path(nothing: RateLimited<ByHostAndPath, ()>) -> Response {
    let (responder, ()) = nothing.into_parts();
    responder.respond("done").await
}

fn router(limiter: RateLimiter) -> Router {
    let layered = Router::new()
        .route("/layer", get(async || "done"))
        .layer(RateLimitLayer::<ByHost>::new());
    Router::new()
        .route("/", get(by_host))
        .route("/page/{id}", get(by_host_and_path))
        .merge(layered)
        .layer(Extension(limiter))
}

fn known(builder: Builder) -> Builder {
    builder.hosts(["Shop.example.com", "blog.example.com", "*.example.org"])
}

/// A client for which all names are this app's.
fn client_of(app: &App, is_http2: bool) -> Client {
    let address = SocketAddr::from(([127, 0, 0, 1], app.port()));
    let names = ["shop.example.com", "blog.example.com", "a.example.org"];
    let names = names.into_iter().chain(["b.example.org", "other.example"]);
    let builder = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60));
    let builder = names.fold(builder, |builder, name| builder.resolve(name, address));
    let builder = if is_http2 {
        builder.http2_prior_knowledge()
    } else {
        builder.http1_only()
    };
    builder.build().expect("a client")
}

#[tokio::test]
async fn tenants_of_one_address_have_buckets_of_their_own_and_other_hosts_share_one() {
    for is_http2 in [false, true] {
        for (limiter, _) in limiters_with(&format!("hosts_{is_http2}"), known).await {
            let app = App::start(router(limiter)).await;
            let client = client_of(&app, is_http2);
            let status = async |host: &str, path: &str| {
                let url = format!("http://{host}:{}{path}", app.port());
                let response = client.get(url).send().await.expect("an answer");
                assert_eq!(response.version() == reqwest::Version::HTTP_2, is_http2);
                response.status().as_u16()
            };
            for path in ["/", "/page/1", "/page/2"] {
                for host in [
                    "shop.example.com",
                    "BLOG.example.com",
                    "a.example.org",
                    "b.example.org",
                ] {
                    for expected in [200, 200, 429] {
                        assert_eq!(status(host, path).await, expected, "{host}{path}");
                    }
                }
                for (host, expected) in [
                    ("other.example", 200),
                    ("127.0.0.1", 200),
                    ("other.example", 429),
                ] {
                    assert_eq!(status(host, path).await, expected, "{host}{path}");
                }
            }
            // The layer has the policy of `/`, and all of its buckets are used up.
            for host in ["shop.example.com", "other.example"] {
                assert_eq!(status(host, "/layer").await, 429, "{host}");
            }
        }
    }
}

/// Returns the status of a request of HTTP/1.1 with this target and these `Host` lines.
async fn raw(app: &App, target: &str, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", app.port()))
        .await
        .expect("it listens");
    let lines = lines.iter().map(|line| format!("Host: {line}\r\n"));
    let lines = lines.collect::<Vec<_>>().concat();
    let request = format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn however_a_request_names_the_host_it_is_one_and_what_is_ambiguous_is_the_addresss() {
    let limiter = known(RateLimiter::builder()).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let app = App::start(router(limiter.clone())).await;
    let shop: [(&str, &[&str]); 5] = [
        ("/", &["shop.example.com"]),
        ("/", &["SHOP.example.com.:8080"]),
        ("http://shop.example.com/", &["blog.example.com"]),
        ("http://Shop.example.com:80/", &["other.example"]),
        ("/", &["shop.example.com:"]),
    ];
    for (n, (target, lines)) in shop.into_iter().enumerate() {
        let expected = if n < 2 { "200" } else { "429" };
        assert_eq!(
            raw(&app, target, lines).await,
            expected,
            "{target} {lines:?}"
        );
    }
    let ambiguous: [(&str, &[&str]); 7] = [
        ("/", &["shop.example.com", "shop.example.com"]),
        ("http://shop.example.com/", &["shop.example.com", "x"]),
        ("/", &["shop.example.com, blog.example.com"]),
        ("/", &["blog.example.com@shop.example.com"]),
        ("/", &[""]),
        ("http://other.example/", &["blog.example.com"]),
        ("/", &["blog.example.com:80:80"]),
    ];
    for (n, (target, lines)) in ambiguous.into_iter().enumerate() {
        let expected = if n < 2 { "200" } else { "429" };
        assert_eq!(
            raw(&app, target, lines).await,
            expected,
            "{target} {lines:?}"
        );
    }
    assert_eq!(raw(&app, "/", &["blog.example.com"]).await, "200");

    // An operator finds it by its name.
    let shop = ClientId::host("shop.example.com");
    let found = limiter.reset_client(shop).await.expect("a store");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(raw(&app, "/", &["shop.example.com"]).await, "200");
}

#[tokio::test]
async fn any_host_is_believed_if_the_application_says_so() {
    for (limiter, _) in limiters_with("any_host", Builder::any_host).await {
        let app = App::start(router(limiter)).await;
        for host in ["one.example", "two.example:80", "[::1]:3000"] {
            for expected in ["200", "200", "429"] {
                assert_eq!(raw(&app, "/", &[host]).await, expected, "{host}");
            }
        }
    }
}
