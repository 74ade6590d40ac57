//! How a policy is declared: in `const` functions, which refuse what cannot work.

use std::time::Duration;

use http::{HeaderName, request::Parts};

use super::{Algorithm, Cost, Key, OnStoreError, Policy, Tier, fnv};

/// The tier of callers whose tier is not known, where a policy names no other.
const DEFAULT_TIER: &str = "free";

/// The most units of cost of a client that a sliding window remembers, at 8 bytes for each instant at
/// which there were any.
const LONGEST_LOG: u32 = 131_072;

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

    /// Sets the header that carries the caller's API key, as
    /// [`ApiKey::from_headers`](crate::ApiKey::from_headers) reads it. The key's tier is the caller's, and
    /// each known key has a bucket of its own.
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

    /// Holds a request that is over the limit until it is allowed, if that is within this time.
    ///
    /// Requests are served first come, first served: while one waits for a bucket, a new request to
    /// the same process queues behind it. One that cannot be served in time is rejected at once, and
    /// [`RateLimitStatus::retry_after`](crate::RateLimitStatus::retry_after) counts the requests that
    /// are ahead of it. Since timers fire late, a request may be held for up to 10 ms longer, and 2 ms
    /// more for each request that was ahead of it.
    ///
    /// Up to 100 requests wait for a bucket, and up to 10,000 in all. A client's address holds at most
    /// one hundredth of the places that are free in all, and one tenth of those that are free in the
    /// queue of a bucket that any client can have requests charged to, such as that of [`Key::Global`].
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
    use crate::policy::{Algorithm, Policy, Quota, Tier};

    const TIERS: &[Tier] = &[
        Tier::new("free", Quota::per_minute(60)),
        Tier::unlimited("internal"),
    ];

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
