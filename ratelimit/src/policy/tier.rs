//! A named class of clients and what it may do.

use super::{Quota, fnv};

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
            id,
        }
    }

    /// A tier that is never limited: its requests ask no store and carry no rate-limit headers.
    pub const fn unlimited(name: &'static str) -> Self {
        Self {
            name,
            quota: None,
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

    /// Tells this tier from every other tier, and from itself with another quota.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}
