//! A named class of clients and what it may do.

use super::{Algorithm, Quota, digits::Digits, fnv, lease::Lease};

/// The longest name of a tier, in bytes: of what others name a caller's tier no more is read.
pub(crate) const LONGEST_TIER_NAME: usize = 256;

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
    /// Creates a tier that may do what `quota` says.
    ///
    /// # Panics
    ///
    /// Panics if the name is longer than 256 bytes. In a `const` or `static` that is a compile error.
    #[track_caller]
    pub const fn new(name: &'static str, quota: Quota) -> Self {
        assert_short(name);
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

    /// Creates a tier that is never limited: its requests ask no store and carry no rate-limit headers.
    ///
    /// # Panics
    ///
    /// Panics if the name is longer than 256 bytes. In a `const` or `static` that is a compile error.
    #[track_caller]
    pub const fn unlimited(name: &'static str) -> Self {
        assert_short(name);
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

#[track_caller]
const fn assert_short(name: &str) {
    assert!(
        name.len() <= LONGEST_TIER_NAME,
        "ratelimit: the name of a tier can be at most 256 bytes long"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_s_name_is_bounded() {
        let named = |length: usize| {
            let name: &'static str = "x".repeat(length).leak();
            let create = || (Tier::new(name, Quota::per_minute(1)), Tier::unlimited(name));
            std::panic::catch_unwind(create).is_ok()
        };
        assert!(named(LONGEST_TIER_NAME));
        assert!(!named(LONGEST_TIER_NAME + 1));
    }
}
