//! Which tier an API key is on.

use std::{collections::HashMap, error::Error, fmt, future::Future, sync::Arc};

use foldhash::fast::RandomState;

use super::{ApiKey, ClientId};
use crate::{foreign_text::Reason, policy::LONGEST_TIER_NAME};

/// Knows API keys and their tiers: a table, Redis, the application's own database.
///
/// A limiter keeps its answers in a bounded cache (for 30 seconds, "unknown" for 5), looks a key up
/// once however many requests wait for the answer, and uses the last answer while the resolver fails.
/// It looks up a [bounded number of unknown keys](crate::Builder::unknown_keys_per_minute) for each
/// client address. A look-up that takes longer than a second has failed, and so has one that panics. Its
/// future is polled by the requests that wait for it, whichever of them comes first, and dropped with the
/// last of them.
///
/// ```
/// use ratelimit::{ApiKey, KnownKey, ResolveError, TierResolver};
///
/// struct Accounts;
///
/// impl TierResolver for Accounts {
///     async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
///         Ok(match key.as_bytes() {
///             b"alice" => Some(KnownKey::on_tier("pro")),
///             b"bob" => Some(KnownKey::on_default_tier()),
///             _ => None,
///         })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not resolve API keys to tiers",
    note = "implement `ratelimit::TierResolver` for it, or use `ratelimit::StaticTiers`"
)]
pub trait TierResolver: Send + Sync + 'static {
    /// Looks a key up; `None` when nobody was given that key.
    ///
    /// # Errors
    ///
    /// It is not known whether the key is known, because what knows it could not be asked.
    fn resolve(
        &self,
        key: ApiKey<'_>,
    ) -> impl Future<Output = Result<Option<KnownKey>, ResolveError>> + Send;
}

/// What is known of an API key that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    tier: Option<Arc<str>>,
}

impl KnownKey {
    /// Returns a key that is on the tier with this name.
    ///
    /// Under a policy that does not declare the tier, the key is on the default tier, which is logged
    /// once for each name. A name longer than 256 bytes is that of no tier.
    pub fn on_tier(name: impl Into<Arc<str>>) -> Self {
        Self {
            tier: Some(name.into()),
        }
    }

    /// The key exists, and is on the default tier of every policy.
    pub fn on_default_tier() -> Self {
        Self { tier: None }
    }

    /// The tier's name, if the key is on a particular one.
    pub fn tier(&self) -> Option<&str> {
        self.tier.as_deref()
    }

    /// Cuts a name that is longer than that of any tier, so that what is cached for a key is bounded. It
    /// remains longer than any, and so is not taken for the name of a tier.
    pub(super) fn bounded(self) -> Self {
        match &self.tier {
            Some(tier) if tier.len() > LONGEST_TIER_NAME => {
                let mut ends = tier.char_indices().map(|(start, _)| start);
                let end = ends.find(|&end| end > LONGEST_TIER_NAME);
                Self::on_tier(&tier[..end.unwrap_or(tier.len())])
            }
            _ => self,
        }
    }
}

/// The tier of an API key could not be looked up.
///
/// It is displayed on one line: of the reason at most 200 characters are shown, with line breaks and
/// other control characters escaped. [`source`](Error::source) returns the reason as it was given.
#[derive(Debug)]
pub struct ResolveError {
    reason: Box<dyn Error + Send + Sync>,
    kind: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Other,
    /// The store that has the tiers did not answer, which its circuit breaker logs.
    Unanswered,
    /// The store was not asked, since it is known to be unavailable.
    NotAsked,
}

impl ResolveError {
    /// The reason, as it will be logged: it must hold no secret.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            reason: reason.into(),
            kind: Failure::Other,
        }
    }

    pub(crate) fn unanswered(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: Failure::Unanswered,
            ..Self::new(reason)
        }
    }

    pub(crate) fn not_asked(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            kind: Failure::NotAsked,
            ..Self::new(reason)
        }
    }

    /// Whether the log says already why.
    pub(super) fn is_logged(&self) -> bool {
        self.kind != Failure::Other
    }

    /// Whether a store was waited for in vain.
    pub(super) fn is_unanswered(&self) -> bool {
        self.kind == Failure::Unanswered
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the tier of an API key could not be looked up: {}",
            Reason(&*self.reason)
        )
    }
}

impl Error for ResolveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.reason)
    }
}

/// A caller whose API key is known.
#[derive(Clone, Debug)]
pub(crate) struct KnownCaller {
    pub(crate) client: ClientId,
    pub(crate) key: KnownKey,
}

/// API keys and their tiers in a table.
///
/// ```
/// use ratelimit::{RateLimiter, StaticTiers};
///
/// let limiter = RateLimiter::builder()
///     .tiers(StaticTiers::new([("k-alice", "pro"), ("k-ci", "internal")]))
///     .build()?;
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct StaticTiers(HashMap<Box<[u8]>, KnownCaller, RandomState>);

impl StaticTiers {
    /// A table of (API key, tier) pairs.
    pub fn new<K, T>(keys: impl IntoIterator<Item = (K, T)>) -> Self
    where
        K: AsRef<[u8]>,
        T: Into<Arc<str>>,
    {
        let entry = |(key, tier): (K, T)| {
            let key = key.as_ref();
            let known = KnownCaller {
                client: ClientId::api_key(key),
                key: KnownKey::on_tier(tier),
            };
            (Box::from(key), known)
        };
        Self(keys.into_iter().map(entry).collect())
    }

    pub(crate) fn get(&self, key: ApiKey<'_>) -> Option<KnownCaller> {
        self.0.get(key.as_bytes()).cloned()
    }
}

impl fmt::Debug for StaticTiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticTiers({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_s_name_is_cut_where_it_is_longer_than_any() {
        let longest = "x".repeat(LONGEST_TIER_NAME);
        for known in [
            KnownKey::on_tier("pro"),
            KnownKey::on_tier(longest),
            KnownKey::on_default_tier(),
        ] {
            assert_eq!(known.clone().bounded(), known);
        }
        for character in ["x", "é", "€", "𝄞"] {
            let known = KnownKey::on_tier(character.repeat(10 << 20)).bounded();
            let length = known.tier().map_or(0, str::len);
            let bound = LONGEST_TIER_NAME + 1..LONGEST_TIER_NAME + 5;
            assert!(bound.contains(&length), "{length}");
        }
    }
}
