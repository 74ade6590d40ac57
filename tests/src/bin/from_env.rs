//! Installs the limiter that the environment asks for, and prints what it is and what it decides
//! about three requests under a limit of two.

use std::{
    error::Error,
    io::{self, Write},
};

use axum::http::Request;
use ratelimit::{Algorithm, Caller, Quota, RateLimiter};
use ratelimit_tests::policy;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let line = match RateLimiter::from_env().await {
        Ok(limiter) => {
            limiter.install()?;
            decide(RateLimiter::global()).await
        }
        Err(error) => format!("error: {error}"),
    };
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

async fn decide(limiter: &RateLimiter) -> String {
    let store = format!("{limiter:?}");
    let store = if store.contains("redis") {
        "redis"
    } else {
        "memory"
    };
    let policy = policy("from_env", Algorithm::SlidingWindow, Quota::per_hour(2));
    let (parts, ()) = Request::new(()).into_parts();
    let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
    let mut decisions = Vec::new();
    for _ in 0..3 {
        let status = limiter.check(policy, caller).await;
        decisions.push(status.is_allowed().to_string());
    }
    format!("{store}: {}", decisions.join(" "))
}
