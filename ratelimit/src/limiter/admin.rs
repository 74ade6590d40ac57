//! What an operator looks at and puts right, without consuming anything.

use std::{collections::HashSet, time::Duration};

use http::HeaderValue;

use super::{RateLimiter, Tiers, undeclared_tiers};
use crate::{
    algorithm::Decision,
    budget::Budget,
    client::{ApiKey, ClientId, TierCache},
    policy::{Policy, PolicyEntry, Tier, policies},
    store::{Bucket, Charge, StoreError},
};

/// How one bucket stands; see [`RateLimiter::peek`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Whose account it is, under which policy and tier.
    pub bucket: Bucket,
    /// How many requests of cost 1 would be admitted right now.
    pub remaining: u32,
    /// How long until the whole quota is available again.
    pub reset_after: Duration,
    /// Whether the store holds something under the bucket's name that is not a bucket. Then `remaining`
    /// and `reset_after` are 0, and requests are decided as
    /// [`on_store_error`](crate::Builder::on_store_error) says until [`RateLimiter::reset`] removes it.
    pub is_corrupt: bool,
}

/// Why the tier of an API key could not be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetTierError {
    /// Tiers come from elsewhere, where they are to be set.
    #[error(
        "the tiers of this limiter's API keys are not in its store: set them where its tier_resolver or its table has them from"
    )]
    NotInStore,
    /// A key that no request can carry.
    #[error(
        "an API key is 1 to {} bytes that a header can carry: without white space at its ends, and without control characters",
        crate::LONGEST_API_KEY
    )]
    NoApiKey,
    /// No policy of the program declares the tier.
    #[error("no policy declares the tier {tier:?}; those there are: {declared}{}", help(similar.as_deref()))]
    NoSuchTier {
        /// The first 64 characters of the tier.
        tier: String,
        /// Those there are.
        declared: String,
        /// The one that was probably meant.
        similar: Option<String>,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn help(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |similar| {
        format!("; help: did you mean `{similar}`?")
    })
}

impl RateLimiter {
    /// How a bucket stands. Nothing is taken from it.
    ///
    /// ```
    /// use axum::http::Request;
    /// use ratelimit::{Algorithm, Bucket, Caller, ClientId, Policy, Quota, RateLimiter, Tier};
    ///
    /// static LOGIN: Policy = Policy::new(
    ///     "login",
    ///     Algorithm::FixedWindow,
    ///     &[Tier::new("default", Quota::per_minute(1))],
    /// );
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let limiter = RateLimiter::default();
    /// let (parts, _) = Request::new(()).into_parts();
    /// let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
    /// limiter.check(&LOGIN, caller).await;
    ///
    /// let client = ClientId::ip([203, 0, 113, 7].into());
    /// if let Some(bucket) = Bucket::new(&LOGIN, LOGIN.default_tier(), client) {
    ///     assert_eq!(limiter.peek(&bucket).await?.remaining, 0);
    ///     limiter.reset(&bucket).await?;
    ///     assert!(limiter.check(&LOGIN, caller).await.is_allowed());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn peek(&self, bucket: &Bucket) -> Result<Standing, StoreError> {
        let found = self.look(&[self.bucket_of(bucket)]).await?;
        let standing = found.into_iter().next();
        standing.ok_or_else(|| StoreError::new("the store took no decision"))
    }

    /// Returns the buckets of a client that are not full, under all policies that are known
    /// ([`policies`](crate::policies)): those of the macros, and those that are written by hand once the
    /// builder is given them, a layer with them is made, or this process has checked a request under
    /// them. Nothing is taken from the buckets. One that the store cannot read is among them, as
    /// [corrupt](Standing::is_corrupt).
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable.
    pub async fn buckets_of(&self, client: ClientId) -> Result<Vec<Standing>, StoreError> {
        let all = self.all_buckets_of(client);
        self.find_used(&all).await
    }

    /// Gives back what this process has leased from the store and not spent
    /// ([`Policy::with_lease`]), for others to have. Call it at the end, after the last request:
    ///
    /// ```no_run
    /// # use axum::Router;
    /// # use ratelimit::RateLimiter;
    /// # async fn serve(app: Router, limiter: RateLimiter) -> std::io::Result<()> {
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// # let shutdown = std::future::pending();
    /// axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
    /// limiter.give_back_leases().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A process that does not come to this keeps at most one slice of a client's bucket from the
    /// others, which is at most a sixteenth of what that holds, for as long as the quota takes to
    /// come back. A store without [leases](crate::Store::give_back_leases) has nothing to give back.
    pub async fn give_back_leases(&self) {
        self.0.store.give_back_leases().await;
    }

    /// Gives a bucket its whole quota back.
    ///
    /// In this process the client is admitted at once. Another that has just turned it away may do
    /// so again for a second.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        let bucket = &self.bucket_of(bucket);
        self.0.store.reset(bucket).await?;
        self.forget(bucket);
        Ok(())
    }

    /// Gives a client the whole of all its quotas back, as [`reset`](Self::reset) does, and says
    /// how they stood. A bucket that the store cannot read is [corrupt](Standing::is_corrupt) in that
    /// list, and is reset like the others.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn reset_client(&self, client: ClientId) -> Result<Vec<Standing>, StoreError> {
        let all = self.all_buckets_of(client);
        let found = self.find_used(&all).await?;
        for standing in &found {
            self.reset(&standing.bucket).await?;
        }
        // What another process has reset may still be cached here as a rejection.
        for bucket in &all {
            self.forget(bucket);
        }
        Ok(found)
    }

    /// Forgets what this process has of a bucket, and has the next waiting request checked.
    fn forget(&self, bucket: &Bucket) {
        self.0.local.forget(bucket);
        if let Some(known) = &self.0.known {
            known.forget(bucket);
        }
        self.0.queue.wake_first(bucket);
    }

    /// Puts an API key on a tier, in the Redis that the tiers are read from. `None` makes the key
    /// unknown; other fields of its hash stay as they are.
    ///
    /// In this process every later check uses the new tier. Other processes use what they have cached
    /// until [`tier_ttl`](crate::Builder::tier_ttl) has passed.
    ///
    /// A tier that only the policies of another program declare is set by that program, or in Redis.
    ///
    /// # Errors
    ///
    /// Returns an error if the tiers come from elsewhere, if [no policy](crate::policies) of the program
    /// declares this one, if no request can carry the key, or if the store is unavailable.
    pub async fn set_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), SetTierError> {
        if !is_in_a_header(api_key) {
            return Err(SetTierError::NoApiKey);
        }
        if let Some(tier) = tier {
            is_declared(tier)?;
        }
        self.write_tier(api_key, tier).await
    }

    async fn write_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), SetTierError> {
        let Tiers::InStore(cache) = &self.0.tiers else {
            return Err(SetTierError::NotInStore);
        };
        let tiers = self.0.store.tiers().ok_or(SetTierError::NotInStore)?;
        let _forget = ForgetOnDrop {
            cache,
            key: api_key.as_bytes(),
        };
        Ok(tiers.set(api_key, tier).await?)
    }

    /// Whether tiers can be set here.
    #[cfg(feature = "dashboard")]
    pub(crate) fn has_tiers_in_store(&self) -> bool {
        matches!(self.0.tiers, Tiers::InStore(_))
    }

    /// Returns the client as this limiter has it: the IPv6 network of an address has the limiter's own
    /// prefix.
    pub(crate) fn client_of(&self, client: ClientId) -> ClientId {
        client.widened_to(self.0.addresses.ipv6_prefix)
    }

    fn bucket_of(&self, bucket: &Bucket) -> Bucket {
        bucket.with_client(self.client_of(bucket.client()))
    }

    /// Returns the buckets that a client has under any policy and tier.
    fn all_buckets_of(&self, client: ClientId) -> Vec<Bucket> {
        let client = self.client_of(client);
        let mut all = HashSet::new();
        for policy in all_policies() {
            let buckets = policy
                .tiers()
                .iter()
                .filter_map(|tier| Bucket::new(policy, tier, client));
            all.extend(buckets);
        }
        all.into_iter().collect()
    }

    /// Returns those of these buckets that are not full, in the order of their names.
    async fn find_used(&self, buckets: &[Bucket]) -> Result<Vec<Standing>, StoreError> {
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = match self.look(buckets).await {
            Err(error) if error.is_of_one_bucket() => self.look_at_each(buckets).await?,
            found => found?,
        };
        found.retain(|standing| standing.is_corrupt || !standing.reset_after.is_zero());
        found.sort_by_key(|standing| standing.bucket.to_string());
        Ok(found)
    }

    /// Looks at buckets one by one, so that one that cannot be read does not hide the others.
    async fn look_at_each(&self, buckets: &[Bucket]) -> Result<Vec<Standing>, StoreError> {
        let mut found = Vec::new();
        for &bucket in buckets {
            match self.look(&[bucket]).await {
                Err(error) if error.is_of_one_bucket() => {
                    self.no_answer(&error, Some(&bucket));
                    found.push(Standing {
                        bucket,
                        remaining: 0,
                        reset_after: Duration::ZERO,
                        is_corrupt: true,
                    });
                }
                standing => found.extend(standing?),
            }
        }
        Ok(found)
    }

    async fn look(&self, buckets: &[Bucket]) -> Result<Vec<Standing>, StoreError> {
        let look = |&bucket: &Bucket| Charge {
            bucket,
            cost: 0,
            enforced: true,
        };
        let charges: Vec<Charge> = buckets.iter().map(look).collect();
        let deadline = Budget::start(self.0.store.timeout());
        let decisions = self.0.store.check_all(&charges, deadline).await?;
        let standing = |(&bucket, decision): (&Bucket, &Decision)| Standing {
            bucket,
            remaining: decision.remaining,
            reset_after: decision.reset_after,
            is_corrupt: false,
        };
        Ok(buckets.iter().zip(&decisions).map(standing).collect())
    }
}

/// Discards what is cached of an API key after its tier was written: also if the write failed or was
/// cancelled, as Redis may have done it all the same.
struct ForgetOnDrop<'a> {
    cache: &'a TierCache,
    key: &'a [u8],
}

impl Drop for ForgetOnDrop<'_> {
    fn drop(&mut self) {
        self.cache.forget(self.key);
    }
}

/// Those of all handlers, and those that are shared.
pub(super) fn all_policies() -> impl Iterator<Item = &'static Policy> {
    policies().into_iter().flat_map(PolicyEntry::policies)
}

fn is_in_a_header(api_key: &str) -> bool {
    let value = HeaderValue::from_bytes(api_key.as_bytes());
    value.is_ok_and(|value| {
        ApiKey::from_header(&value).is_some_and(|key| key.as_bytes() == api_key.as_bytes())
    })
}

fn is_declared(tier: &str) -> Result<(), SetTierError> {
    let mut declared: Vec<&str> = all_policies()
        .flat_map(Policy::tiers)
        .map(Tier::name)
        .collect();
    declared.sort_unstable();
    declared.dedup();
    if declared.contains(&tier) {
        return Ok(());
    }
    Err(SetTierError::NoSuchTier {
        tier: undeclared_tiers::shown(tier).to_owned(),
        declared: declared.join(", "),
        similar: undeclared_tiers::similar(tier, declared.into_iter()).map(str::to_owned),
    })
}
