//! A named class of clients and what it may do.

use super::{Algorithm, Quota, digits::Digits, fnv, lease::Lease};

/// A class of clients (`free`, `pro`, …) with its quota, or without any limit.
///
/// ```
/// use ratelimit::{Quota, Tier};
///
/// const FREE: Tier = Tier::new("free", Quota::per_minute(60));
/// const INTERNAL: Tier = Tier::unlimited("internal");
/// assert_eq!(FREE.quota(), Some(Quota::per_minute(60)));
/// assert_eq!(INTERNAL.quota(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    name: &'static str,
    quota: Option<Quota>,
    limit: Digits,
    /// By algorithm.
    leases: [Option<Lease>; 3],
    id: u64,
}

impl Tier {
    /// A tier that may do what `quota` says.
    pub const fn new(name: &'static str, quota: Quota) -> Self {
        let mut id = fnv::hash(fnv::SEED, name.as_bytes());
        id = fnv::hash(id, &quota.limit().to_le_bytes());
        id = fnv::hash(id, &quota.burst().to_le_bytes());
        id = fnv::hash(id, &quota.per_micros().to_le_bytes());
        Self {
            name,
            quota: Some(quota),
            limit: Digits::of(quota.limit()),
            leases: [
                Lease::new(Algorithm::TokenBucket, &quota),
                Lease::new(Algorithm::SlidingWindow, &quota),
                Lease::new(Algorithm::FixedWindow, &quota),
            ],
            id,
        }
    }

    /// A tier that is never limited: its requests ask no store and carry no rate-limit headers.
    pub const fn unlimited(name: &'static str) -> Self {
        Self {
            name,
            quota: None,
            limit: Digits::of(0),
            leases: [None; 3],
            id: fnv::hash(fnv::SEED, name.as_bytes()),
        }
    }

    /// The tier's name, as a tier resolver gives it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the tier may do; `None` when it is not limited.
    pub const fn quota(&self) -> Option<Quota> {
        self.quota
    }

    pub(crate) const fn quota_ref(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }

    /// The digits of the quota's limit.
    pub(crate) fn limit_digits(&self) -> &[u8] {
        self.limit.as_bytes()
    }

    /// How its buckets are leased under an algorithm, if anything is gained by it.
    pub(crate) const fn lease(&self, algorithm: Algorithm) -> Option<&Lease> {
        let [tokens, sliding, fixed] = &self.leases;
        match algorithm {
            Algorithm::TokenBucket => tokens.as_ref(),
            Algorithm::SlidingWindow => sliding.as_ref(),
            Algorithm::FixedWindow => fixed.as_ref(),
        }
    }

    /// Tells this tier from every other tier, and from itself with another quota.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}
