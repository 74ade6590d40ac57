//! What an attacker can make the process remember: requests that are each from an address of its
//! own, with an API key of its own.
//!
//! `flood <clients>` prints by how many kilobytes the process has grown after half of them, and at
//! the end.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    net::Ipv6Addr,
    sync::Arc,
};

use http::{HeaderName, HeaderValue, Request};
use ratelimit::{
    Algorithm, ApiKey, Caller, KnownKey, MemoryStore, Policy, Quota, RateLimiter, ResolveError,
    Tier, TierResolver,
};

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

static TIERS: [Tier; 2] = [
    Tier::new("free", Quota::per_minute(60)),
    Tier::unlimited("internal"),
];

static POLICIES: [Policy; 3] = [
    policy("tokens", Algorithm::TokenBucket),
    policy("sliding", Algorithm::SlidingWindow),
    policy("fixed", Algorithm::FixedWindow),
];

const fn policy(name: &'static str, algorithm: Algorithm) -> Policy {
    Policy::new(name, algorithm, &TIERS).with_tier_header(&API_KEY)
}

/// A data base of API keys, none of which is one of these.
struct NobodyIsKnown;

impl TierResolver for NobodyIsKnown {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        Ok(None)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clients = env::args().nth(1).ok_or("usage: flood <clients>")?;
    let clients: u32 = clients.parse()?;
    // Behind an `Arc` it is treated as a store that is elsewhere, whose answers are remembered.
    let limiter = RateLimiter::builder()
        .store(Arc::new(MemoryStore::new().with_capacity(50_000)))
        .tier_resolver(NobodyIsKnown)
        .build()?;
    let before = kilobytes()?;
    let mut out = io::stdout();
    for n in 0..clients {
        let mut request = Request::new(());
        // Some are far longer than any key.
        let long = if n % 100 == 0 { 8_000 } else { 16 };
        let key = format!("{n:0long$x}");
        let headers = request.headers_mut();
        headers.insert(&API_KEY, HeaderValue::try_from(key)?);
        let (parts, ()) = request.into_parts();
        let address = Ipv6Addr::from(u128::from(n) << 64);
        let caller = Caller::new(&parts).with_peer(Some(address.into()));
        let policy = &POLICIES[n as usize % POLICIES.len()];
        if !limiter.check(policy, caller).await.is_allowed() {
            return Err("a client was turned away at its first request".into());
        }
        if n == clients / 2 {
            writeln!(out, "{}", kilobytes()?.saturating_sub(before))?;
        }
    }
    writeln!(out, "{}", kilobytes()?.saturating_sub(before))?;
    Ok(())
}

/// How much of the machine's memory the process has.
fn kilobytes() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(size.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}
