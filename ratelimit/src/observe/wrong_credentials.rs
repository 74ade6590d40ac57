//! Counts of credentials that were wrong.

use crate::sync::atomic::{AtomicU64, Ordering};

/// The wrong credentials that a limiter has been sent since it was made; see
/// [`RateLimiter::wrong_credentials`](crate::RateLimiter::wrong_credentials).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrongCredentials {
    /// Wrong tokens that were sent to the dashboard (feature `dashboard`), whether answered with 401
    /// or with 429. A request without a token does not count.
    pub dashboard_token: u64,
    /// Wrong secrets in the header of the [bypass secret](crate::Builder::bypass_secret). A request
    /// can count more than once: for each of several policies, and again if its tier is looked up.
    pub bypass_secret: u64,
}

/// The counts, which only grow.
#[derive(Default)]
pub(crate) struct WrongCredentialCounts {
    dashboard_token: AtomicU64,
    bypass_secret: AtomicU64,
}

impl WrongCredentialCounts {
    #[cfg(feature = "dashboard")]
    pub(crate) fn add_dashboard_token(&self) {
        self.dashboard_token.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn add_bypass_secret(&self) {
        self.bypass_secret.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> WrongCredentials {
        WrongCredentials {
            dashboard_token: self.dashboard_token.load(Ordering::Relaxed),
            bypass_secret: self.bypass_secret.load(Ordering::Relaxed),
        }
    }
}
