//! Policies and buckets for tests of the stores.

use std::net::Ipv4Addr;

use ratelimit::{Algorithm, Bucket, ClientId, Policy, Quota, Tier};

/// All there are.
pub const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::TokenBucket,
    Algorithm::SlidingWindow,
    Algorithm::FixedWindow,
];

/// A policy with one tier. It lives as long as the test.
pub fn policy(name: &str, algorithm: Algorithm, quota: Quota) -> &'static Policy {
    let tiers = Box::leak(Box::new([Tier::new("default", quota)]));
    Box::leak(Box::new(Policy::new(
        String::leak(name.to_owned()),
        algorithm,
        tiers,
    )))
}

/// The bucket of the n-th client.
///
/// # Panics
///
/// The policy's default tier is not limited.
pub fn bucket(policy: &'static Policy, n: u32) -> Bucket {
    let client = ClientId::ip(Ipv4Addr::from(n).into());
    Bucket::new(policy, policy.default_tier(), client).expect("a limited tier")
}

/// The bucket that the processes of the exactness test share: `limit` requests in 300 days, so that
/// nothing is earned while it runs.
///
/// # Panics
///
/// There is no algorithm of that name.
pub fn one_bucket(algorithm: &str, limit: u32) -> Bucket {
    let algorithm = ALGORITHMS
        .into_iter()
        .find(|known| known.name() == algorithm)
        .expect("the name of an algorithm");
    let quota = Quota::new(limit, std::time::Duration::from_secs(300 * 86_400));
    bucket(policy("hammered", algorithm, quota), 1)
}
