//! Other people's, each in the way that its documentation shows first.

use std::{net::Ipv4Addr, sync::Arc};

use axum_limit::{
    BackendError, FixedWindowPolicy, LimitState, Quota, RateLimitPolicy, RedisBackend,
    SlidingWindowPolicy, TokenBucketPolicy,
};
use futures_util::{FutureExt, StreamExt, stream};
use ratelimit::Algorithm;
use ratelimit_benches::api_key::ApiKey;
use trypema::{
    RateLimit, RateLimitDecision, RateLimiterBuilder, TrypemaError, WindowSize,
    hybrid::HybridRateLimiterProvider,
    redis::{RedisKey, RedisRateLimiterProvider},
};

use super::{LIMIT, Made, PER, arena::Arena};

/// Its checks take turns on its one connection.
pub(super) fn axum_limit(arena: Arena<'_>, algorithm: Algorithm) -> Made<'_> {
    match algorithm {
        Algorithm::TokenBucket => by_policy::<TokenBucketPolicy>(arena),
        Algorithm::SlidingWindow => by_policy::<SlidingWindowPolicy>(arena),
        _ => by_policy::<FixedWindowPolicy>(arena),
    }
}

fn by_policy<P: RateLimitPolicy + Clone>(arena: Arena<'_>) -> Made<'_> {
    let name = format!("axum-limit, {}", P::STATE_ID);
    let quota = Quota::new(LIMIT as usize, PER.as_secs() * 1_000);
    let connect = async || {
        let backend = RedisBackend::connect(arena.server.url()).await?;
        Ok::<_, BackendError>(LimitState::<ApiKey, P, _>::new(backend))
    };
    arena.contestant(&name, connect, move |state, n| {
        let state = state.clone();
        async move {
            let key = ApiKey(Ipv4Addr::from(n).to_string());
            let snapshot = state.check(key, quota).await;
            snapshot.is_ok_and(|snapshot| snapshot.allowed)
        }
    })
}

/// Strict: it asks Redis each time.
pub(super) fn trypema(arena: Arena<'_>) -> Made<'_> {
    let rate = rate(arena.limit);
    let connect = async || {
        let connection = arena.connection_manager().await?;
        let builder = RedisRateLimiterProvider::builder(connection);
        builder.window_size(window()).build()
    };
    arena.contestant("trypema, Redis, absolute", connect, move |provider, n| {
        let provider = provider.clone();
        async move {
            let Ok(key) = key(n) else { return false };
            let decision = provider.absolute().inc(&key, &rate, 1).await;
            matches!(decision, Ok(RateLimitDecision::Allowed))
        }
    })
}

/// It answers from memory about whoever it knows, which is everybody here, and tells Redis each
/// 10 ms, as is its default.
pub(super) fn trypema_hybrid(arena: Arena<'_>) -> Made<'_> {
    let rate = rate(arena.limit);
    let check = move |provider: &Arc<HybridRateLimiterProvider>, n| {
        let provider = provider.clone();
        async move {
            let Ok(key) = key(n) else { return false };
            let decision = provider.absolute().inc(&key, &rate, 1).await;
            matches!(decision, Ok(RateLimitDecision::Allowed))
        }
    };
    let connect = async || {
        let connection = arena.connection_manager().await?;
        let builder = HybridRateLimiterProvider::builder(connection);
        let provider = builder.window_size(window()).build()?;
        let ask = |n| check(&provider, n).map(drop);
        stream::iter(0..arena.clients)
            .for_each_concurrent(256, ask)
            .await;
        Ok::<_, TrypemaError>(provider)
    };
    let name = "trypema, hybrid, absolute, which may overshoot";
    arena.contestant(name, connect, check)
}

fn window() -> WindowSize {
    WindowSize::seconds_or_panic(PER.as_secs())
}

fn rate(limit: u32) -> RateLimit {
    RateLimit::per_second_or_panic(f64::from(limit) / PER.as_secs_f64())
}

fn key(n: u32) -> Result<RedisKey, TrypemaError> {
    RedisKey::try_from(Ipv4Addr::from(n).to_string())
}
