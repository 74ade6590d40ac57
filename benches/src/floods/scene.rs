//! The floods of small requests: what limits them, and what each request says.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, request::Parts},
    routing::get,
};
use ratelimit::{ApiKey, Builder, KnownKey, ResolveError, TierResolver, rate_limit};
use tower::ServiceExt;

use super::Target;

/// A flood of small requests, all of one address.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) settings: fn(Builder) -> Builder,
    pub(super) router: fn() -> Router,
    pub(super) prepare: fn(&Target) -> Prepared<'_>,
    /// Makes the request of this number.
    pub(super) request: fn(u64) -> Request<Body>,
}

type Prepared<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error>>> + 'a>>;

/// A secret for tests. It is 32 bytes long.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) static ALL: &[Scene] = &[
    Scene {
        name: "random API keys, tiers in Redis",
        settings: |builder| builder,
        router: || Router::new().route("/", get(tiered)),
        prepare: used_up,
        request: |n| request("x-api-key", &format!("guess-{n}")),
    },
    Scene {
        name: "random API keys, a `TierResolver` of the application",
        settings: |builder| builder.tier_resolver(KnowsNone),
        router: || Router::new().route("/", get(tiered)),
        prepare: used_up,
        request: |n| request("x-api-key", &format!("guess-{n}")),
    },
    Scene {
        name: "two costs by turns",
        settings: |builder| builder,
        router: || Router::new().route("/", get(costly)),
        prepare: used_up,
        request: |n| request("x-cost", if n % 2 == 0 { "2" } else { "3" }),
    },
    Scene {
        name: "a poisoned bucket",
        settings: |builder| builder,
        router: || Router::new().route("/", get(limited)),
        prepare: |target| Box::pin(poison(target)),
        request: |_| request("x-nothing", "0"),
    },
    Scene {
        name: "the right bypass secret",
        settings: |builder| builder.bypass_secret(SECRET),
        router: || Router::new().route("/", get(limited)),
        prepare: used_up,
        request: |_| request("x-ratelimit-bypass", SECRET),
    },
    Scene {
        name: "wrong bypass secrets",
        settings: |builder| builder.bypass_secret(SECRET),
        router: || Router::new().route("/", get(limited)),
        prepare: used_up,
        request: |n| request("x-ratelimit-bypass", &format!("{n:032}")),
    },
    Scene {
        name: "a route with `wait`",
        settings: |builder| builder,
        router: || Router::new().route("/", get(waiting)),
        prepare: used_up,
        request: |_| request("x-nothing", "0"),
    },
    Scene {
        name: "cost 131,072 under a sliding window, from 100 clients",
        settings: |builder| builder,
        router: || Router::new().route("/", get(huge)),
        prepare: |_| Box::pin(async { Ok(()) }),
        request: |n| {
            let mut request = request("x-nothing", "0");
            let client = Ipv4Addr::from(0x0a00_0000 + u32::try_from(n % 100).unwrap_or_default());
            let peer = ConnectInfo(SocketAddr::from((client, 0)));
            request.extensions_mut().insert(peer);
            request
        },
    },
];

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600)]
async fn tiered() {}

fn cost(parts: &Parts) -> u32 {
    let cost = parts.headers.get("x-cost");
    let cost = cost.and_then(|cost| cost.to_str().ok()?.parse().ok());
    cost.unwrap_or(1)
}

#[rate_limit(limit = 60, per = "1h", cost = cost)]
async fn costly() {}

#[rate_limit(limit = 60, per = "1h")]
async fn limited() {}

#[rate_limit(limit = 6000, burst = 10, wait = "20ms", algo = "token_bucket")]
async fn waiting() {}

#[rate_limit(limit = 131_072, per = "1h", cost = 131_072)]
async fn huge() {}

/// A resolver that knows no key, and counts how often it is called.
struct KnowsNone;

/// How often the resolver of the application was called.
static RESOLVER_CALLS: AtomicU64 = AtomicU64::new(0);

impl TierResolver for KnowsNone {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        RESOLVER_CALLS.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    }
}

/// Returns how often the resolver of the application was called since the last time.
pub(super) fn take_resolver_calls() -> u64 {
    RESOLVER_CALLS.swap(0, Ordering::Relaxed)
}

fn request(header: &'static str, value: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    if let Ok(value) = value.parse() {
        request.headers_mut().insert(header, value);
    }
    let peer = ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    request.extensions_mut().insert(peer);
    request
}

/// Has the address use up its limit.
fn used_up(target: &Target) -> Prepared<'_> {
    Box::pin(async {
        for _ in 0..200 {
            target
                .app
                .clone()
                .oneshot(request("x-nothing", "0"))
                .await?;
        }
        Ok(())
    })
}

/// Puts a hash, which no version of the limiter writes, in place of each bucket.
async fn poison(target: &Target) -> Result<(), Box<dyn Error>> {
    target
        .app
        .clone()
        .oneshot(request("x-nothing", "0"))
        .await?;
    let mut connection = target.server.connection().await;
    let names: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connection)
        .await?;
    for name in names {
        if name.contains("limited") {
            redis::pipe()
                .del(&name)
                .hset(&name, "not a", "bucket")
                .exec_async(&mut connection)
                .await?;
        }
    }
    Ok(())
}

/// Sends every request of this remainder until the end, and returns how many.
pub(super) async fn requests(
    request: fn(u64) -> Request<Body>,
    app: Router,
    remainder: usize,
    end: Instant,
) -> u64 {
    let mut sent = 0;
    while Instant::now() < end {
        let n = sent * super::IN_FLIGHT as u64 + remainder as u64;
        // A router does not fail.
        let _ = app.clone().oneshot(request(n)).await;
        sent += 1;
        // What is answered at once must not keep others from their turn.
        if sent % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    sent
}
