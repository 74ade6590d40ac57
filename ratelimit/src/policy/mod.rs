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
mod digits;
mod fnv;
mod key;
mod lease;
mod quota;
pub(crate) mod registry;
mod store_error;
mod tier;

#[cfg(feature = "redis")]
pub(crate) use self::lease::Lease;
pub(crate) use self::quota::TICKS_PER_MICRO;
pub use self::{
    algorithm::Algorithm,
    key::{Key, KeyValue},
    quota::{Quota, QuotaError, window},
    registry::{PolicyEntry, policies},
    store_error::OnStoreError,
    tier::Tier,
};

use std::time::Duration;

use http::{HeaderName, request::Parts};

/// The tier of callers whose tier is not known, where a policy names no other.
const DEFAULT_TIER: &str = "free";

/// Requests of a client that a sliding window remembers at the most, at 8 bytes each.
const LONGEST_LOG: u32 = 131_072;

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
    /// A policy with these tiers; each client has a bucket of its own by IP address.
    ///
    /// Callers without a tier get the tier named `free`, or the first where none is.
    ///
    /// # Panics
    ///
    /// The name is empty, there is no tier, two tiers have one name, a tier has a burst of its own though the algorithm
    /// is not the token bucket, or a sliding window would have to remember more than 131,072 requests
    /// (1 MB) of a client. In a `const` or `static` that is a compile error.
    #[track_caller]
    pub const fn new(name: &'static str, algorithm: Algorithm, tiers: &'static [Tier]) -> Self {
        assert!(!name.is_empty(), "ratelimit: a policy needs a name");
        assert!(!tiers.is_empty(), "ratelimit: a policy needs a tier");
        let mut i = 0;
        while i < tiers.len() {
            assert!(
                matches!(find(tiers, tiers[i].name()), Some(first) if first == i),
                "ratelimit: two tiers of a policy have one name"
            );
            if let Some(quota) = tiers[i].quota() {
                assert!(
                    matches!(algorithm, Algorithm::TokenBucket) || quota.burst() == quota.limit(),
                    "ratelimit: only the token bucket has a burst"
                );
                assert!(
                    !matches!(algorithm, Algorithm::SlidingWindow) || quota.limit() <= LONGEST_LOG,
                    "ratelimit: a sliding window remembers at most 131072 requests of a client: use the token bucket"
                );
            }
            i += 1;
        }
        let default_tier = match find(tiers, DEFAULT_TIER) {
            Some(i) => i,
            None => 0,
        };
        Self {
            name,
            algorithm,
            tiers,
            default_tier,
            tier_header: None,
            key: Key::Ip,
            cost: Cost::Fixed(1),
            exempt: None,
            shadow: false,
            wait: None,
            on_store_error: None,
            is_leased: None,
            id: fnv::hash(
                fnv::hash(fnv::SEED, name.as_bytes()),
                algorithm.name().as_bytes(),
            ),
        }
    }

    /// Callers without a tier get the tier named `name`.
    ///
    /// # Panics
    ///
    /// No tier of the policy has that name. In a `const` or `static` that is a compile error.
    #[track_caller]
    #[must_use]
    pub const fn with_default_tier(self, name: &str) -> Self {
        let Some(default_tier) = find(self.tiers, name) else {
            panic!("ratelimit: the default tier is not one of the policy's tiers");
        };
        Self {
            default_tier,
            ..self
        }
    }

    /// The caller's API key is in this header: it says the tier, and each known key has a bucket of
    /// its own.
    #[must_use]
    pub const fn with_tier_header(self, header: &'static HeaderName) -> Self {
        Self {
            tier_header: Some(header),
            key: Key::Caller,
            ..self
        }
    }

    /// What shares a bucket. Call it after [`with_tier_header`](Self::with_tier_header), which sets
    /// [`Key::Caller`].
    #[must_use]
    pub const fn with_key(self, key: Key) -> Self {
        Self { key, ..self }
    }

    /// Each request counts as `cost` requests.
    ///
    /// # Panics
    ///
    /// The cost is 0, or a tier could never admit it. In a `const` or `static` that is a compile
    /// error.
    #[track_caller]
    #[must_use]
    pub const fn with_cost(self, cost: u32) -> Self {
        assert!(cost > 0, "ratelimit: a cost must be at least 1");
        let mut i = 0;
        while i < self.tiers.len() {
            if let Some(quota) = self.tiers[i].quota() {
                assert!(
                    cost <= self.algorithm.capacity(&quota),
                    "ratelimit: the cost is more than a tier can ever admit"
                );
            }
            i += 1;
        }
        Self {
            cost: Cost::Fixed(cost),
            ..self
        }
        .with_payable_leases()
    }

    /// Each request counts as many requests as this says; one of cost 0 is admitted, and one of a
    /// cost that its tier never admits is turned away without a `Retry-After`.
    #[must_use]
    pub const fn with_cost_of(self, cost: fn(&Parts) -> u32) -> Self {
        Self {
            cost: Cost::Of(cost),
            ..self
        }
    }

    /// Requests of which this is true are not limited, and do not count.
    #[must_use]
    pub const fn with_exempt(self, exempt: fn(&Parts) -> bool) -> Self {
        Self {
            exempt: Some(exempt),
            ..self
        }
    }

    /// Decides and counts, and logs whom it would have turned away, but turns nobody away.
    #[must_use]
    pub const fn with_shadow(self) -> Self {
        Self {
            shadow: true,
            ..self
        }
    }

    /// A request that is over the limit waits, if it is admitted within this time.
    ///
    /// # Panics
    ///
    /// The time is zero, or more than an hour. In a `const` or `static` that is a compile error.
    #[track_caller]
    #[must_use]
    pub const fn with_wait(self, wait: Duration) -> Self {
        assert!(
            !wait.is_zero(),
            "ratelimit: to wait for no time is not to wait: leave it out"
        );
        assert!(
            wait.as_secs() <= 3_600,
            "ratelimit: a request can wait for an hour at most"
        );
        Self {
            wait: Some(wait),
            ..self
        }
    }

    /// What happens to requests while the store cannot be asked; without, what the limiter says.
    #[must_use]
    pub const fn with_on_store_error(self, on_store_error: OnStoreError) -> Self {
        Self {
            on_store_error: Some(on_store_error),
            ..self
        }
    }

    /// Processes that share a store take requests out of it several at a time, a *slice*, where there
    /// is much to do, and admit them without asking for each. All of them together still never admit
    /// more than the limit; see [leases](crate#leases).
    ///
    /// It is for a `RedisStore`: in memory nobody needs to be asked.
    ///
    /// # Panics
    ///
    /// No tier is one of which several requests can be taken at once: that takes a limit or a burst of
    /// 16, in a window of 320 ms (or a burst that takes as long to come back). Or the cost is more
    /// than a token bucket can admit that keeps a 64th of its burst back. In a `const` or `static`
    /// that is a compile error.
    #[track_caller]
    #[must_use]
    pub const fn with_lease(self) -> Self {
        let mut i = 0;
        while i < self.tiers.len() && self.tiers[i].lease(self.algorithm).is_none() {
            i += 1;
        }
        assert!(
            i < self.tiers.len(),
            "ratelimit: no tier is large enough to lease several requests of: that takes a limit (or burst) of 16 in at least 320 ms"
        );
        Self {
            is_leased: Some(true),
            ..self
        }
        .with_payable_leases()
    }

    /// Each request is counted in the store, also where the store leases what no policy says
    /// otherwise about.
    #[must_use]
    pub const fn with_strict(self) -> Self {
        Self {
            is_leased: Some(false),
            ..self
        }
    }

    #[track_caller]
    const fn with_payable_leases(self) -> Self {
        if let (Cost::Fixed(cost), Some(true)) = (self.cost, self.is_leased) {
            let mut i = 0;
            while i < self.tiers.len() {
                if let Some(lease) = self.tiers[i].lease(self.algorithm) {
                    assert!(
                        cost <= self.algorithm.capacity(&lease.books),
                        "ratelimit: the cost is more than a tier can ever admit where it is leased, since that keeps 1/64 of the burst back"
                    );
                }
                i += 1;
            }
        }
        self
    }

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

const fn find(tiers: &[Tier], name: &str) -> Option<usize> {
    let mut i = 0;
    while i < tiers.len() {
        if same(tiers[i].name().as_bytes(), name.as_bytes()) {
            return Some(i);
        }
        i += 1;
    }
    None
}

/// `a == b`, which is not `const` yet.
const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
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

    #[test]
    #[should_panic(expected = "only the token bucket has a burst")]
    fn a_burst_without_token_bucket_is_refused() {
        const BURSTY: &[Tier] = &[Tier::new("free", Quota::per_minute(60).with_burst(20))];
        let _ = Policy::new("p", Algorithm::FixedWindow, BURSTY);
    }

    #[test]
    #[should_panic(expected = "more than a tier can ever admit")]
    fn a_cost_above_the_smallest_capacity_is_refused() {
        let _ = Policy::new("p", Algorithm::SlidingWindow, TIERS).with_cost(61);
    }

    #[test]
    #[should_panic(expected = "have one name")]
    fn one_name_for_two_tiers_is_refused() {
        const TWICE: &[Tier] = &[
            Tier::new("free", Quota::per_minute(60)),
            Tier::unlimited("free"),
        ];
        let _ = Policy::new("p", Algorithm::SlidingWindow, TWICE);
    }
}
