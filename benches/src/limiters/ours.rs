//! This workspace's own.

use std::net::Ipv4Addr;

use axum::http::Request;
use futures_util::FutureExt;
use ratelimit::{Algorithm, Builder, Caller, MemoryStore, Quota, Store};
use ratelimit_tests::{bucket, policy};

use super::{Limiter, PER, Terms};

/// The store's decision alone, as governor takes it.
pub fn token_bucket(terms: &Terms) -> Limiter {
    store("MemoryStore, token_bucket", Algorithm::TokenBucket, terms)
}

/// Nothing leaves the window, so this is the dearest that it gets.
pub fn sliding_window(terms: &Terms) -> Limiter {
    let name = "MemoryStore, sliding_window, its log growing throughout";
    store(name, Algorithm::SlidingWindow, terms)
}

/// As above, of the third algorithm.
pub fn fixed_window(terms: &Terms) -> Limiter {
    store("MemoryStore, fixed_window", Algorithm::FixedWindow, terms)
}

/// All that a request costs: whose it is, its tier, and the decision.
pub fn rate_limiter(terms: &Terms) -> Limiter {
    limiter("RateLimiter, token_bucket", Builder::default(), terms)
}

/// The same, without counts of what was decided.
pub fn unobserved(terms: &Terms) -> Limiter {
    limiter("nothing is counted", Builder::default().unobserved(), terms)
}

fn store(name: &str, algorithm: Algorithm, terms: &Terms) -> Limiter {
    let store = MemoryStore::new().with_capacity(terms.capacity as usize);
    let policy = policy("bench", algorithm, Quota::new(terms.limit, PER));
    Limiter::new(name, move |n| {
        let decision = store.check(&bucket(policy, n), 1).now_or_never();
        decision.is_some_and(|decision| decision.is_ok_and(|decision| decision.allowed))
    })
}

fn limiter(name: &str, builder: Builder, terms: &Terms) -> Limiter {
    let store = MemoryStore::new().with_capacity(terms.capacity as usize);
    let limiter = builder.store(store).build().unwrap_or_default();
    let quota = Quota::new(terms.limit, PER);
    let policy = policy("bench", Algorithm::TokenBucket, quota);
    let (parts, ()) = Request::new(()).into_parts();
    Limiter::new(name, move |n| {
        let caller = Caller::new(&parts).with_peer(Some(Ipv4Addr::from(n).into()));
        let status = limiter.check(policy, caller).now_or_never();
        status.is_some_and(|status| status.is_allowed())
    })
}
