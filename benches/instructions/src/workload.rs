//! What is counted: one thing done over and over, for many clients in turn.

use std::{
    hint::black_box,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::ConnectInfo,
    http::Request,
    routing::{MethodRouter, get},
};
use futures_util::FutureExt;
use ratelimit::{
    Algorithm, Bucket, Caller, ClientId, MemoryStore, Policy, Quota, RateLimiter, Store, Tier,
    rate_limit,
};
use tower::ServiceExt;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// How often it is done to be counted: as often as it takes a second or so.
    pub(crate) times: u32,
    make: fn() -> Box<dyn Fn(u32)>,
}

/// So many that a seed of a hash, which puts each of them elsewhere, makes no difference to all.
const CLIENTS: u32 = 10_000;

impl Workload {
    /// Does it, after each client has been there once.
    pub(crate) fn run(&self, times: u32) {
        let check = (self.make)();
        (0..CLIENTS).for_each(&check);
        counted(&*check, times);
    }
}

/// What callgrind counts, by this name. What it takes to begin is not always the same: the clock is
/// compared with the system's until they agree.
#[inline(never)]
fn counted(check: &dyn Fn(u32), times: u32) {
    (0..times).map(|n| n % CLIENTS).for_each(check);
}

pub(crate) const WORKLOADS: [Workload; 8] = [
    Workload {
        name: "MemoryStore, token_bucket",
        times: 50_000,
        make: || store(&TOKEN_BUCKET),
    },
    Workload {
        name: "MemoryStore, sliding_window",
        times: 50_000,
        make: || store(&SLIDING_WINDOW),
    },
    Workload {
        name: "MemoryStore, fixed_window",
        times: 50_000,
        make: || store(&FIXED_WINDOW),
    },
    Workload {
        name: "RateLimiter, token_bucket",
        times: 50_000,
        make: || limiter(&TOKEN_BUCKET),
    },
    Workload {
        name: "RateLimiter, token_bucket, turned away",
        times: 50_000,
        make: || limiter(&USED_UP),
    },
    Workload {
        name: "annotated handler, token_bucket",
        times: 20_000,
        make: || handler(get(limited)),
    },
    Workload {
        name: "annotated handler, token_bucket, turned away",
        times: 20_000,
        make: || handler(get(used_up)),
    },
    Workload {
        name: "bare handler",
        times: 20_000,
        make: || handler(get(bare)),
    },
];

/// More than is done, in a time that does not pass.
const PLENTY: &[Tier] = &[tier(100_000)];
const ONE: &[Tier] = &[tier(1)];

const fn tier(limit: u32) -> Tier {
    Tier::new(
        "default",
        Quota::new(limit, Duration::from_secs(365 * 86_400)),
    )
}

static TOKEN_BUCKET: Policy = Policy::new("tokens", Algorithm::TokenBucket, PLENTY);
static SLIDING_WINDOW: Policy = Policy::new("sliding", Algorithm::SlidingWindow, PLENTY);
static FIXED_WINDOW: Policy = Policy::new("fixed", Algorithm::FixedWindow, PLENTY);
static USED_UP: Policy = Policy::new("used up", Algorithm::TokenBucket, ONE);

fn store(policy: &'static Policy) -> Box<dyn Fn(u32)> {
    let store = MemoryStore::new();
    Box::new(move |n| {
        let client = ClientId::ip(Ipv4Addr::from(n).into());
        let bucket = Bucket::new(policy, policy.default_tier(), client);
        let decision = bucket.map(|bucket| store.check(&bucket, 1).now_or_never());
        black_box(decision.is_some());
    })
}

fn limiter(policy: &'static Policy) -> Box<dyn Fn(u32)> {
    let limiter = RateLimiter::default();
    let (parts, ()) = Request::new(()).into_parts();
    Box::new(move |n| {
        let caller = Caller::new(&parts).with_peer(Some(Ipv4Addr::from(n).into()));
        black_box(limiter.check(policy, caller).now_or_never().is_some());
    })
}

fn handler(handler: MethodRouter) -> Box<dyn Fn(u32)> {
    let router: Router = Router::new()
        .route("/", handler)
        .layer(Extension(RateLimiter::default()));
    Box::new(move |n| {
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::from((Ipv4Addr::from(n), 0));
        request.extensions_mut().insert(ConnectInfo(peer));
        black_box(router.clone().oneshot(request).now_or_never().is_some());
    })
}

#[rate_limit(limit = 100_000, per = "365d", algo = "token_bucket")]
async fn limited() -> &'static str {
    "Hello, world!"
}

#[rate_limit(limit = 1, per = "365d", algo = "token_bucket")]
async fn used_up() -> &'static str {
    "Hello, world!"
}

async fn bare() -> &'static str {
    "Hello, world!"
}
