//! The tiers of API keys that are in a store.

use std::{convert::Infallible, future::Future};

use super::StoreError;
use crate::client::{ApiKey, KnownKey, ResolveError, TierResolver};

/// The part of a store that keeps the tiers of API keys.
///
/// A store returns its implementation from [`Store::tier_store`](super::Store::tier_store). A limiter
/// without another source of tiers then looks keys up there, within the time of the check, and
/// [`RateLimiter::set_tier`](crate::RateLimiter::set_tier) writes to it.
pub trait TierStore: TierResolver {
    /// Puts an API key on a tier, or removes the key if `tier` is `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable.
    fn set_tier(
        &self,
        api_key: &str,
        tier: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The tier store of a store that has none.
impl TierStore for Infallible {
    async fn set_tier(&self, _: &str, _: Option<&str>) -> Result<(), StoreError> {
        match *self {}
    }
}

impl TierResolver for Infallible {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        match *self {}
    }
}
