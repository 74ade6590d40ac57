//! Who is asking: the client's address behind trusted proxies, its API key, and the key's tier.
//!
//! A raw API key is a claim. Only a key that the [`TierResolver`] knows has a tier and a bucket of
//! its own; whoever sends any other is anonymous, and is known by the IP address.

mod address;
mod api_key;
mod cache;
mod digest;
mod failure_log;
mod field_value;
mod host;
mod id;
mod identity;
mod look_up_budget;
mod resolver;

#[cfg(feature = "metrics")]
pub(crate) use self::cache::LookUps;
pub use self::{
    address::ForwardedHeader,
    api_key::{ApiKey, LONGEST_API_KEY},
    id::{ClientId, NoClientId},
    identity::{Identified, Identity},
    resolver::{KnownKey, ResolveError, StaticTiers, TierResolver},
};
pub(crate) use self::{
    address::{
        ClientAddress, Gap, Ipv6Prefix, LONGEST_CHAIN, Trust, TrustedProxies, is_internal,
        is_internal_v4, network, peer,
    },
    cache::{CacheSettings, Resolved, TierCache},
    digest::ClientDigests,
    field_value::FieldValue,
    host::{HostList, KnownHosts},
    look_up_budget::LookUpQuotas,
    resolver::KnownCaller,
};
