//! Wrong tokens: limited by address, counted, and logged.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
    request::Parts,
};

use super::Problem;
use crate::{
    client::ClientId,
    http::whole_seconds,
    limiter::{Caller, RateLimiter},
    log_throttle::LogThrottle,
    policy::{Algorithm, Policy, Quota, Tier},
    store::{Bucket, MemoryStore},
};

/// How many wrong tokens an address may send. It is far more than a person types, and without it
/// a guesser makes thousands a second.
static POLICY: Policy = Policy::new(
    "wrong tokens of the dashboard",
    Algorithm::TokenBucket,
    &[Tier::new("default", Quota::per_minute(10))],
);

/// The number of addresses whose wrong tokens are counted, which bounds the memory to about 200 kB.
const ADDRESSES: usize = 4_096;

/// The wrong tokens of a dashboard.
pub(super) struct Guesses {
    by_address: MemoryStore,
    lines: LogThrottle,
}

impl Guesses {
    pub(super) fn new(limiter: &RateLimiter) -> Self {
        Self {
            by_address: MemoryStore::new()
                .with_capacity(ADDRESSES)
                .with_clock(limiter.clock()),
            lines: LogThrottle::new(limiter.clock()),
        }
    }

    /// Returns the response to a wrong token, and counts it.
    pub(super) fn reject(&self, limiter: &RateLimiter, parts: &Parts) -> Response {
        let client = limiter.by_ip(&Caller::new(parts));
        limiter.add_wrong_token();
        self.lines.log(|left_out| {
            tracing::warn!(
                client = %client,
                left_out,
                "a request to the dashboard came with a wrong token"
            );
        });
        match self.wait(client) {
            Some(wait) => too_many(wait),
            None => unauthorized("that is not the token"),
        }
    }

    /// Returns the time that this client has to wait for, if it has sent too many wrong tokens.
    fn wait(&self, client: ClientId) -> Option<Duration> {
        let bucket = Bucket::new(&POLICY, POLICY.default_tier(), client)?;
        let decision = self.by_address.decide_one(&bucket, 1);
        decision.retry_after.filter(|_| !decision.allowed)
    }
}

/// Returns the 401 for a request without the token.
pub(super) fn unauthorized(error: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, error).into_response();
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn too_many(wait: Duration) -> Response {
    let seconds = whole_seconds(wait);
    let error = format!(
        "too many wrong tokens came from this address: try again in {seconds} s, or with the right token at once"
    );
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, error).into_response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn guesses_from_many_addresses_take_bounded_memory() {
        let store = MemoryStore::new().with_clock(ManualClock::new());
        let limiter = RateLimiter::builder().store(store).build();
        let guesses = Guesses::new(&limiter.expect("nothing is wrong with it"));
        let from = |n: u32| guesses.wait(ClientId::ip(Ipv4Addr::from_bits(n).into()));
        for _ in 0..10 {
            assert_eq!(from(1), None);
        }
        for n in 2..50_000 {
            assert_eq!(from(n), None);
        }
        assert!(from(1).is_some(), "who has guessed most is not forgotten");
        let addresses = guesses.by_address.len();
        assert!(addresses <= ADDRESSES + ADDRESSES / 16, "{addresses}");
    }
}
