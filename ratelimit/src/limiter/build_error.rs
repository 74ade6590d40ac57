//! Why a limiter cannot be built: each setting that is wrong, with the fix.

use http::HeaderName;
use ipnet::IpNet;

use super::secrets::{LONGEST, SHORTEST};
use crate::client::{Ipv6Prefix, LONGEST_CHAIN};
#[cfg(feature = "redis")]
use crate::store::redis::ConnectError;

/// A look-up that fails is charged for a second, in microseconds, and a microsecond is the shortest time
/// that there is for each.
pub(super) const MAX_UNKNOWN_KEYS: u32 = 1_000_000;

/// Why a limiter cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A trusted proxy is neither an address nor a network.
    #[error(
        "trusted_proxies: {0:?} is neither an IP address such as 10.0.0.1 nor a network such as 10.0.0.0/8; give each of them as a text of its own, and use trusted_socket() for a Unix socket"
    )]
    TrustedProxy(String),
    /// A network of trusted proxies that holds everybody.
    #[error(
        "trusted_proxies: {0} trusts everybody, and whoever is trusted chooses the address that it is limited by; name the addresses or networks of your load balancers"
    )]
    TrustsEverybody(IpNet),
    /// The proxies' header was chosen, but no proxy is trusted, so it would not be read.
    #[error(
        "forwarded_header has no effect without trusted_proxies, trusted_hops or trusted_socket: say which proxies set it"
    )]
    ForwardedWithoutProxies,
    /// The number of trusted hops is 0, or more than a request can have passed.
    #[error(
        "trusted_hops: {0} is not a number of proxies from 1 to {LONGEST_CHAIN}; count the proxies between the client and this process, or leave it out if there are none"
    )]
    TrustedHops(usize),
    /// Proxies are trusted both by their number and by what they are.
    #[error(
        "trusted_hops trusts proxies whatever their addresses, so that trusted_proxies and trusted_socket have no effect with it: leave out trusted_hops, which is safer, or the others"
    )]
    HopsAndProxies,
    /// Several hops are trusted, with a header that has one address.
    #[error(
        "trusted_hops({hops}): {header} holds one address, in which hops cannot be counted; use trusted_hops(1) if the proxy next to this process sets it"
    )]
    HopsInOneAddress {
        /// The number of hops.
        hops: usize,
        /// The header.
        header: HeaderName,
    },
    /// A header that holds a list was chosen as one with a single address.
    #[error(
        "forwarded_header: {0} holds a list of addresses; use ForwardedHeader::XForwardedFor or ForwardedHeader::Forwarded"
    )]
    ListOfAddresses(HeaderName),
    /// A header was chosen that has another meaning than a client's address.
    #[error(
        "forwarded_header: {0} does not hold the client's address; name the header that your proxy sets, such as x-real-ip"
    )]
    HeaderWithoutAddress(HeaderName),
    /// A prefix for IPv6 clients that would be many providers, or less than one subscriber.
    #[error(
        "ipv6_prefix: {0} is not from {shortest} to {longest}; use 64 for the smallest network of a subscriber, or 56 or 48 for larger ones",
        shortest = Ipv6Prefix::LENGTHS.start(),
        longest = Ipv6Prefix::LENGTHS.end()
    )]
    Ipv6Prefix(u8),
    /// An exempt network is neither an address nor a network.
    #[error(
        "exempt_networks: {0:?} is neither an IP address such as 10.0.0.1 nor a network such as 10.0.0.0/8; give each of them as a text of its own"
    )]
    ExemptNetwork(String),
    /// A network that holds everybody is exempt.
    #[error(
        "exempt_networks: {0} exempts everybody; leave the limits out, or name the networks of those who are not to be limited"
    )]
    ExemptsEverybody(IpNet),
    /// A host is neither a name nor an address.
    #[error("hosts: {host:?} is not a host: {help}")]
    Host {
        /// The host.
        host: String,
        /// How it is written.
        help: &'static str,
    },
    /// The list of hosts is empty.
    #[error(
        "hosts: the list is empty, so that no host is believed; list the names that the application is reached by, as in hosts([\"shop.example.com\"])"
    )]
    NoHosts,
    /// Some hosts are believed, and all.
    #[error("hosts and any_host exclude each other: keep hosts to believe those that are listed")]
    HostsAndAnyHost,
    /// A policy has the key `host`, but no setting says which hosts are believed.
    #[error(
        "the key of the policy {name:?} is the host, which a client can choose: {place}; list the hosts of the application with RateLimiter::builder().hosts([\"shop.example.com\", \"*.example.org\"]), or call any_host() if a proxy in front lets no other pass"
    )]
    KeyWithoutHosts {
        /// The policy's name.
        name: &'static str,
        /// Where it is.
        place: String,
    },
    /// A secret that could be guessed, or that is not looked at.
    #[error(
        "bypass_secret: a secret is {SHORTEST} to {LONGEST} bytes long, and this one is {0}; make one with: openssl rand -hex 32"
    )]
    BypassSecret(usize),
    /// A secret that no request can carry.
    #[error(
        "bypass_secret: a secret is sent in a header, so it has neither white space at its ends nor control characters"
    )]
    BypassSecretNoHeader,
    /// The header of a secret was chosen, but there is no secret.
    #[error("bypass_header has no effect without bypass_secret: give it one, or leave it out")]
    HeaderWithoutSecret,
    /// A secret for the digests of clients that could be guessed.
    #[error(
        "client_digest_secret: a secret is {SHORTEST} to {LONGEST} bytes long, and this one is {0}; make one with: openssl rand -hex 32"
    )]
    ClientDigestSecret(usize),
    /// The look-ups of tiers were set up, but tiers come from a table or from nowhere.
    #[error(
        "tier_ttl, tier_cache_capacity and unknown_keys_per_minute have no effect unless tiers come from the store or from a tier_resolver: leave them out"
    )]
    CacheWithoutResolver,
    /// A cache that would hold nothing.
    #[error("tier_cache_capacity must be at least 1 key")]
    EmptyCache,
    /// An address that could have no API key looked up, or any number.
    #[error(
        "unknown_keys_per_minute is 1 to {MAX_UNKNOWN_KEYS} keys of each address, and this one is {0}: every key is unknown before it is looked up, so 0 would leave all callers anonymous"
    )]
    UnknownKeysPerMinute(u32),
    /// Two handlers at different places have policies of one name, which would share their buckets.
    #[error(
        "two policies have the name {name:?}: {first} and {second}; give one of them another name = \"…\", or share one policy with policy!"
    )]
    Namesakes {
        /// The name.
        name: &'static str,
        /// Where one is.
        first: String,
        /// Where the other is.
        second: String,
    },
    /// `REDIS_URL` is not text.
    #[error("the environment variable REDIS_URL is not valid Unicode")]
    RedisUrlNotUnicode,
    /// `REDIS_URL` is set, but the crate was built without Redis.
    #[cfg(not(feature = "redis"))]
    #[error("REDIS_URL is set, but ratelimit was built without its feature `redis`")]
    WithoutRedis,
    /// Redis cannot be connected to.
    #[cfg(feature = "redis")]
    #[error("REDIS_URL: {0}")]
    Redis(#[from] ConnectError),
}
