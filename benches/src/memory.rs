//! A check of a known client in memory, beside governor's keyed limiter.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::http::Request;
use futures_util::FutureExt;
use governor::RateLimiter as Governor;
use ratelimit::{Algorithm, Builder, Caller, MemoryStore, Quota, Store};
use ratelimit_tests::{ALGORITHMS, bucket, policy};

use crate::compare::{Contestant, Table, Unit};

/// A quota that no client uses up, and whose state outlives the measurement, so that every client
/// is known throughout: 10,000 a day.
const LIMIT: u32 = 10_000;
const PER: Duration = Duration::from_secs(86_400);
const CHECKS: u32 = 1_000_000;

pub(crate) fn run(table: &mut Table) {
    for clients in [10_000, 1_000_000] {
        let what = format!("check in memory, {clients} known clients in random order");
        let mut contestants = vec![governor(clients)];
        for algorithm in ALGORITHMS {
            contestants.push(store(algorithm, clients));
        }
        let name = "RateLimiter, token_bucket";
        contestants.push(limiter(name, clients, LIMIT, Builder::default()));
        table.compare(&what, Unit::Nanoseconds, contestants);
    }
    for (whose, limit) in [("admitted", LIMIT), ("turned away", 1)] {
        let what =
            format!("what it costs that checks of 10000 clients who are {whose} are counted");
        let unobserved = Builder::default().unobserved();
        let contestants = vec![
            limiter("nothing is counted", 10_000, limit, unobserved),
            limiter("RateLimiter", 10_000, limit, Builder::default()),
        ];
        table.compare(&what, Unit::Nanoseconds, contestants);
    }
}

fn governor(clients: u32) -> Contestant<'static> {
    let quota = governor::Quota::with_period(PER / LIMIT)
        .unwrap_or(governor::Quota::per_second(NonZeroU32::MIN))
        .allow_burst(NonZeroU32::new(LIMIT).unwrap_or(NonZeroU32::MIN));
    let governor = Governor::keyed(quota);
    let check = move |n| {
        black_box(governor.check_key(&IpAddr::V4(Ipv4Addr::from(n))).is_ok());
    };
    (0..clients).for_each(&check);
    Contestant::new("governor, keyed by IpAddr", move || time(clients, &check))
}

/// The store's decision alone, as governor takes it.
fn store(algorithm: Algorithm, clients: u32) -> Contestant<'static> {
    let store = MemoryStore::new().with_capacity(4 * clients as usize);
    let policy = policy("bench", algorithm, Quota::new(LIMIT, PER));
    let check = move |n| {
        let decision = store.check(&bucket(policy, n), 1).now_or_never();
        black_box(decision.is_some());
    };
    (0..clients).for_each(&check);
    let name = match algorithm {
        // Nothing leaves the window in a day, so this is the dearest that it gets.
        Algorithm::SlidingWindow => "MemoryStore, sliding_window, its log growing throughout",
        other => &format!("MemoryStore, {}", other.name()),
    };
    Contestant::new(name, move || time(clients, &check))
}

/// All that a request costs: whose it is, its tier, and the decision.
fn limiter(name: &str, clients: u32, limit: u32, builder: Builder) -> Contestant<'static> {
    let store = MemoryStore::new().with_capacity(4 * clients as usize);
    let limiter = builder.store(store).build().unwrap_or_default();
    let policy = policy("bench", Algorithm::TokenBucket, Quota::new(limit, PER));
    let (parts, ()) = Request::new(()).into_parts();
    let check = move |n| {
        let caller = Caller::new(&parts).with_peer(Some(Ipv4Addr::from(n).into()));
        black_box(limiter.check(policy, caller).now_or_never().is_some());
    };
    (0..clients).for_each(&check);
    Contestant::new(name, move || time(clients, &check))
}

/// Nanoseconds for each of many checks of clients in random order, the same order for everyone.
fn time(clients: u32, check: impl Fn(u32)) -> f64 {
    let mut random = 1_u32;
    let begin = Instant::now();
    for _ in 0..CHECKS {
        // Numerical Recipes' generator; its high bits are good enough to jump about.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        check(u32::try_from((u64::from(random) * u64::from(clients)) >> 32).unwrap_or(0));
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(CHECKS)
}
