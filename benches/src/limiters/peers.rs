//! Other people's, each with its own hash, clock and kind of key.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::{NonZeroU32, NonZeroU64},
    time::Instant,
};

use trypema::{
    RateLimit, RateLimitDecision, RateLimiterBuilder, WindowSize, local::LocalRateLimiterProvider,
};

use super::{Limiter, PER, Terms};

/// Keyed, in a `DashMap`.
pub fn governor(terms: &Terms) -> Limiter {
    let limit = NonZeroU32::new(terms.limit).unwrap_or(NonZeroU32::MIN);
    let quota = governor::Quota::with_period(PER / limit.get())
        .unwrap_or(governor::Quota::per_second(limit))
        .allow_burst(limit);
    let governor = governor::RateLimiter::keyed(quota);
    Limiter::new("governor, keyed by IpAddr", move |n| {
        governor.check_key(&address(n)).is_ok()
    })
}

/// The keyed store below its layer, with the hash that the layer takes.
pub fn axum_gcra(terms: &Terms) -> Limiter {
    let limit = NonZeroU32::new(terms.limit).unwrap_or(NonZeroU32::MIN);
    let quota = axum_gcra::gcra::Quota::new(PER / limit.get(), NonZeroU64::from(limit));
    let store = axum_gcra::gcra::RateLimiter::<IpAddr, ahash::RandomState>::default();
    Limiter::new("axum_gcra, keyed by IpAddr", move |n| {
        store.req_sync(address(n), quota, Instant::now()).is_ok()
    })
}

/// Its keys are text, so an address has to be written out first.
pub fn trypema(terms: &Terms) -> Limiter {
    let window = WindowSize::seconds_or_panic(PER.as_secs());
    let limit = f64::from(terms.limit) / PER.as_secs_f64();
    let rate = RateLimit::per_second_or_panic(limit);
    let provider = LocalRateLimiterProvider::builder()
        .window_size(window)
        // Nobody is idle for so long that there would be something to clean up.
        .disable_cleanup()
        .build();
    Limiter::new("trypema, local, absolute", move |n| {
        provider.as_ref().is_ok_and(|provider| {
            let decision = provider.absolute().inc(&address(n).to_string(), &rate, 1);
            decision == RateLimitDecision::Allowed
        })
    })
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(n).into()
}
