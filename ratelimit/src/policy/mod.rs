//! What is allowed: a [`Policy`] is a named set of tiers, each with a [`Quota`], and says by what
//! a client is recognised and how its requests are counted.
//!
//! All of it can be written in a `static`, which is what `#[rate_limit(…)]` emits; a policy that
//! cannot work is then a compile error.
//!
//! ```
//! use http::HeaderName;
//! use ratelimit::{Algorithm, Policy, Quota, Tier};
//!
//! static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
//! static SEARCH: Policy = Policy::new(
//!     "search",
//!     Algorithm::TokenBucket,
//!     &[
//!         Tier::new("free", Quota::per_minute(60).with_burst(20)),
//!         Tier::new("pro", Quota::per_minute(600).with_burst(20)),
//!         Tier::unlimited("internal"),
//!     ],
//! )
//! .with_tier_header(&API_KEY);
//!
//! assert_eq!(SEARCH.tier("pro").name(), "pro");
//! assert_eq!(SEARCH.tier("a tier that is not declared").name(), "free");
//! ```

mod algorithm;
mod declaration;
mod digits;
mod fnv;
pub(crate) mod header_constant;
mod key;
mod lease;
mod quota;
pub(crate) mod registry;
mod store_error;
mod tier;

#[cfg(feature = "redis")]
pub(crate) use self::lease::Lease;
pub use self::{
    algorithm::Algorithm,
    key::{Key, KeyValue},
    quota::{Quota, QuotaError, window},
    registry::{PolicyEntry, policies},
    store_error::OnStoreError,
    tier::Tier,
};
pub(crate) use self::{quota::TICKS_PER_MICRO, tier::LONGEST_TIER_NAME};

use std::time::Duration;

use http::{HeaderName, request::Parts};

/// A named limit: its tiers, its algorithm, what shares a bucket, and which requests count how much.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    name: &'static str,
    algorithm: Algorithm,
    tiers: &'static [Tier],
    default_tier: usize,
    tier_header: Option<&'static HeaderName>,
    key: Key,
    cost: Cost,
    exempt: Option<fn(&Parts) -> bool>,
    shadow: bool,
    wait: Option<Duration>,
    on_store_error: Option<OnStoreError>,
    is_leased: Option<bool>,
    id: u64,
}

#[derive(Clone, Copy, Debug)]
enum Cost {
    Fixed(u32),
    Of(fn(&Parts) -> u32),
}

impl Policy {
    /// The policy's name: its identity in store keys and in answers.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How requests are counted.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Every tier, as declared.
    pub const fn tiers(&self) -> &'static [Tier] {
        self.tiers
    }

    /// The tier for callers without a tier, and for tiers that this policy does not declare.
    pub const fn default_tier(&self) -> &'static Tier {
        &self.tiers[self.default_tier]
    }

    /// The tier with this name, or the default one.
    pub fn tier(&self, name: &str) -> &'static Tier {
        self.tiers
            .iter()
            .find(|tier| tier.name() == name)
            .unwrap_or(self.default_tier())
    }

    /// The header that carries the API key, if callers have tiers by API key.
    pub const fn tier_header(&self) -> Option<&'static HeaderName> {
        self.tier_header
    }

    /// What shares a bucket.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// How many requests this request counts as.
    #[inline]
    pub fn cost(&self, parts: &Parts) -> u32 {
        match self.cost {
            Cost::Fixed(cost) => cost,
            Cost::Of(cost) => cost(parts),
        }
    }

    /// Whether this request is not limited at all.
    #[inline]
    pub fn is_exempt(&self, parts: &Parts) -> bool {
        self.exempt.is_some_and(|exempt| exempt(parts))
    }

    /// Whether it turns nobody away, and only says whom it would have.
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// How long a request that is over the limit may wait.
    pub const fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// What happens to requests while the store cannot be asked; `None` for what the limiter says.
    pub const fn on_store_error(&self) -> Option<OnStoreError> {
        self.on_store_error
    }

    /// Whether requests are leased in slices; `None` for what the store says.
    pub const fn is_leased(&self) -> Option<bool> {
        self.is_leased
    }

    /// Tells this policy from every policy with another name or algorithm.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIERS: &[Tier] = &[
        Tier::new("pro", Quota::per_minute(600)),
        Tier::new("free", Quota::per_minute(60)),
        Tier::unlimited("internal"),
    ];

    #[test]
    fn an_undeclared_tier_is_the_default_one() {
        let policy = Policy::new("p", Algorithm::SlidingWindow, TIERS);
        assert_eq!(policy.tier("pro").name(), "pro");
        assert_eq!(policy.tier("platinum").name(), "free");
        let policy = policy.with_default_tier("internal");
        assert_eq!(policy.tier("platinum").name(), "internal");
        assert_eq!(
            Policy::new("p", Algorithm::SlidingWindow, &TIERS[..1])
                .default_tier()
                .name(),
            "pro",
            "without a tier named free, the first is the default"
        );
    }
}
