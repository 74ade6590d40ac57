//! One client's account under one tier of one policy.

use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
};

#[cfg(feature = "redis")]
use crate::policy::Lease;
use crate::{
    client::ClientId,
    policy::{Algorithm, Policy, Quota, Tier},
};

/// One client's account under one tier of one policy: what a [`Store`](crate::Store) keeps a state
/// for.
///
/// Two buckets are one and the same if client, policy name, tier name, algorithm and quota are. A
/// new release with another quota begins with new buckets, so that while it is rolled out the old
/// and the new processes do not read each other's state as their own.
///
/// Its `Display` is a name for the bucket in a store that several processes share. It begins with
/// the client in braces, which makes all of a client's buckets one hash slot of Redis Cluster:
/// `{ip:203.0.113.7}:search:free:token_bucket:60/60s:20`. Two different buckets never have one name:
/// in the tier's name `:` is written as `%3A` and `%` as `%25`, and the other parts have a fixed form
/// or, as the policy's name, end where these begin.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    policy: &'static Policy,
    tier: &'static Tier,
    quota: &'static Quota,
    client: ClientId,
}

impl Bucket {
    /// The account of `client` under `tier`; `None` where the tier is not limited and so has none.
    pub fn new(policy: &'static Policy, tier: &'static Tier, client: ClientId) -> Option<Self> {
        Some(Self {
            policy,
            tier,
            quota: tier.quota_ref()?,
            client,
        })
    }

    /// The policy.
    pub fn policy(&self) -> &'static Policy {
        self.policy
    }

    /// The tier.
    pub fn tier(&self) -> &'static Tier {
        self.tier
    }

    /// How requests are counted.
    pub fn algorithm(&self) -> Algorithm {
        self.policy.algorithm()
    }

    /// What the client may do.
    pub fn quota(&self) -> Quota {
        *self.quota
    }

    pub(super) fn quota_ref(&self) -> &'static Quota {
        self.quota
    }

    /// Whose account it is.
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Returns the bucket of another client.
    pub(crate) fn with_client(self, client: ClientId) -> Self {
        Self { client, ..self }
    }

    /// The bucket as it is kept where it is leased, and how; `None` where nothing is gained by that.
    #[cfg(feature = "redis")]
    pub(super) fn leased(&self) -> Option<(Self, &'static Lease)> {
        let lease = self.tier.lease(self.algorithm())?;
        let books = Self {
            quota: &lease.books,
            ..*self
        };
        Some((books, lease))
    }

    /// The bucket in a fixed few bytes, for tables within one process.
    ///
    /// Policy, tier, quota and the kind of client are in it as a 64-bit hash, of which the compiler
    /// has computed the parts; all that is hashed there comes from the application's own source. It
    /// is laid over the half of the client's name that an address leaves empty, except for the length of
    /// an IPv6 prefix. Of other names, which are digests, each half is as good as random, and stays so.
    pub(crate) fn key(&self) -> BucketKey {
        let rule = self.policy.id() ^ self.tier.id().rotate_left(32) ^ self.client.kind_id();
        BucketKey(u128::from_be_bytes(self.client.name()) ^ u128::from(rule))
    }
}

/// See [`Bucket::key`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BucketKey(u128);

impl Hash for BucketKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Bucket {}

impl Hash for Bucket {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Bucket {
    /// Writes its name. A check in Redis does so, and needs no formatter's room and ways for that.
    pub(super) fn write_to(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("{")?;
        self.client.write_to(out)?;
        out.write_str("}")?;
        out.write_str(":")?;
        out.write_str(self.policy.name())?;
        out.write_str(":")?;
        write_without_colons(self.tier.name(), out)?;
        out.write_str(":")?;
        out.write_str(self.algorithm().name())?;
        let (per, unit) = match self.quota.per_micros() {
            per if per % 1_000_000 == 0 => (per / 1_000_000, "s"),
            per => (per, "us"),
        };
        out.write_str(":")?;
        out.write_str(itoa::Buffer::new().format(self.quota.limit()))?;
        out.write_str("/")?;
        out.write_str(itoa::Buffer::new().format(per))?;
        out.write_str(unit)?;
        if self.algorithm() == Algorithm::TokenBucket {
            out.write_str(":")?;
            out.write_str(itoa::Buffer::new().format(self.quota.burst()))?;
        }
        Ok(())
    }
}

/// Writes a text so that it has no colon, and so that no other text is written like it.
fn write_without_colons(text: &str, out: &mut impl Write) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find([':', '%']) {
        let (before, special) = rest.split_at(at);
        out.write_str(before)?;
        out.write_str(if special.starts_with(':') {
            "%3A"
        } else {
            "%25"
        })?;
        rest = &special[1..];
    }
    out.write_str(rest)
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    static SEARCH: Policy = Policy::new(
        "search",
        Algorithm::TokenBucket,
        &[
            Tier::new("free", Quota::per_minute(60).with_burst(20)),
            Tier::new("pro", Quota::per_minute(600).with_burst(20)),
            Tier::unlimited("internal"),
        ],
    );
    static BRIEF: Policy = Policy::new(
        "brief",
        Algorithm::FixedWindow,
        &[Tier::new(
            "free",
            Quota::new(5, Duration::from_millis(1_500)),
        )],
    );

    fn bucket(policy: &'static Policy, tier: &str, client: ClientId) -> Option<Bucket> {
        Bucket::new(policy, policy.tier(tier), client)
    }

    #[test]
    fn the_name_says_whose_it_is_and_what_counts() {
        let client = ClientId::ip([203, 0, 113, 7].into());
        let free = bucket(&SEARCH, "free", client).expect("limited");
        assert_eq!(
            free.to_string(),
            "{ip:203.0.113.7}:search:free:token_bucket:60/60s:20"
        );
        let brief = bucket(&BRIEF, "free", ClientId::EVERYBODY).expect("limited");
        assert_eq!(
            brief.to_string(),
            "{everybody}:brief:free:fixed_window:5/1500000us"
        );
        assert_eq!(bucket(&SEARCH, "internal", client), None);
    }

    /// A bucket whose policy and tier are the parts of these words before and after `split`.
    fn bucket_of(words: &[&str], split: usize, algorithm: Algorithm, limit: u32) -> Bucket {
        let name = |words: &[&str]| -> &'static str { words.join(":").leak() };
        let (policy, tier) = words.split_at(split);
        let quota = Quota::per_minute(limit);
        let tiers = Box::leak(Box::new([Tier::new(name(tier), quota)]));
        let policy = Policy::new(name(policy), algorithm, tiers);
        let policy = Box::leak(Box::new(policy));
        Bucket::new(policy, &tiers[0], ClientId::EVERYBODY).expect("limited")
    }

    proptest! {
        /// The words are what a name consists of, so that the parts of one bucket's name can be taken
        /// for those of another's.
        #[test]
        fn different_buckets_have_different_names(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "", "%", "%3A", "%25", "{everybody}", "}", "/", " ", "é", "token_bucket",
                    "sliding_window", "fixed_window", "1/60s", "2/60s", "1", "2",
                ]),
                2..6,
            ),
            splits in (1..5_usize, 1..5_usize),
            algorithms in (0..3_usize, 0..3_usize),
            limits in (1..3_u32, 1..3_u32),
        ) {
            const ALGORITHMS: [Algorithm; 3] = [
                Algorithm::TokenBucket,
                Algorithm::SlidingWindow,
                Algorithm::FixedWindow,
            ];
            let last = words.len() - 1;
            let (one, other) = (splits.0.min(last), splits.1.min(last));
            let is_named = |split: usize| !words[..split].join(":").is_empty();
            prop_assume!(is_named(one) && is_named(other));
            let a = bucket_of(&words, one, ALGORITHMS[algorithms.0], limits.0);
            let b = bucket_of(&words, other, ALGORITHMS[algorithms.1], limits.1);
            prop_assert_eq!(a == b, a.to_string() == b.to_string(), "{} {}", a, b);
            let hash_tag = "{everybody}:";
            prop_assert!(a.to_string().starts_with(hash_tag));
        }
    }

    #[test]
    fn a_tier_s_name_has_no_colon() {
        let words = ["a", "b", "50%"];
        let names = [1, 2].map(|n| bucket_of(&words, n, Algorithm::FixedWindow, 5).to_string());
        assert_eq!(names[0], "{everybody}:a:b%3A50%25:fixed_window:5/60s");
        assert_eq!(names[1], "{everybody}:a:b:50%25:fixed_window:5/60s");
    }

    #[test]
    fn client_policy_tier_algorithm_and_quota_tell_buckets_apart() {
        static SLIDING: Policy = Policy::new(
            "brief",
            Algorithm::SlidingWindow,
            &[Tier::new(
                "free",
                Quota::new(5, Duration::from_millis(1_500)),
            )],
        );
        static SIX: Policy = Policy::new(
            "brief",
            Algorithm::FixedWindow,
            &[Tier::new(
                "free",
                Quota::new(6, Duration::from_millis(1_500)),
            )],
        );
        let client = ClientId::ip([203, 0, 113, 7].into());
        let all = [
            bucket(&SEARCH, "free", client),
            bucket(&SEARCH, "pro", client),
            bucket(&SEARCH, "free", ClientId::EVERYBODY),
            bucket(&SEARCH, "free", ClientId::UNKNOWN_IP),
            // One name of three kinds.
            bucket(&SEARCH, "free", ClientId::api_key(b"x")),
            bucket(&SEARCH, "free", ClientId::path("x")),
            bucket(&SEARCH, "free", ClientId::value("x")),
            bucket(&BRIEF, "free", client),
            bucket(&SLIDING, "free", client),
            bucket(&SIX, "free", client),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a:?} {b:?}");
                let name = |bucket: &Option<Bucket>| bucket.map(|bucket| bucket.to_string());
                assert_eq!(name(a) == name(b), i == j);
            }
        }
    }
}
