//! Tiers of API keys in Redis: the hash `api_key:{key}`, field `tier`.

use std::fmt;

use redis::{Cmd, RedisError, Value, from_redis_value};

use super::shard::Shard;
use crate::{
    client::{ApiKey, KnownKey, ResolveError, TierResolver},
    store::StoreError,
};

/// Reads the tiers of API keys from Redis: the field `tier` of the hash `api_key:{key}`.
///
/// | in Redis | the key `k-alice` is |
/// | --- | --- |
/// | `HSET api_key:k-alice tier pro` | known, and on the tier `pro` |
/// | `HSET api_key:k-alice tier ""` | known, and on the default tier of each policy |
/// | `HDEL api_key:k-alice tier` | unknown, whatever other fields the hash has |
///
/// The other fields are the application's: they are neither read nor written.
///
/// [`RedisStore::tiers`](crate::RedisStore::tiers) returns it. A limiter with a
/// [`RedisStore`](crate::RedisStore) uses it unless it is given another
/// [`tier_resolver`](crate::Builder::tier_resolver). The look-up then has the store's
/// [`timeout`](crate::RedisStoreBuilder::timeout) for itself, and the check after it has the same time
/// again. If Redis does not answer the look-up, the check is decided as during an outage, so that a
/// request waits once for a server that hangs.
#[derive(Clone)]
pub struct RedisTiers {
    shard: Shard,
}

impl RedisTiers {
    pub(super) fn new(shard: Shard) -> Self {
        Self { shard }
    }

    /// Puts a key on a tier, or makes it unknown. Other fields of its hash stay as they are.
    pub(crate) async fn set(&self, key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let name = name(key.as_bytes());
        let command = match tier {
            Some(tier) => Cmd::hset(name, FIELD, tier),
            None => Cmd::hdel(name, FIELD),
        };
        let Shard { pool, breaker } = &self.shard;
        let set = async || {
            let answer = pool.send(&command, pool.budget()).await;
            let answer = answer.and_then(Value::extract_error);
            answer.map(drop).map_err(|error| self.failed(&error))
        };
        breaker.ask(set).await
    }

    /// Returns the field `tier`.
    async fn look_up(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let command = Cmd::hget(name, FIELD);
        let pool = &self.shard.pool;
        pool.send(&command, pool.budget())
            .await
            .and_then(Value::extract_error)
            .and_then(|answer| Ok(from_redis_value(answer)?))
            .map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RedisError) -> StoreError {
        match error.code() {
            Some("WRONGTYPE") => StoreError::of_one_bucket("an API key's entry is no hash"),
            _ => self.shard.pool.failed(error),
        }
    }
}

const FIELD: &str = "tier";

fn name(key: &[u8]) -> Vec<u8> {
    [b"api_key:", key].concat()
}

impl TierResolver for RedisTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let name = name(key.as_bytes());
        let answer = self.shard.breaker.ask(|| self.look_up(&name)).await;
        let tier = answer.map_err(|error| {
            if error.is_of_one_bucket() {
                ResolveError::new(error)
            } else if error.is_outage() {
                ResolveError::unanswered(error)
            } else {
                ResolveError::not_asked(error)
            }
        })?;
        // A name that is not UTF-8 is not the name of any policy's tier.
        Ok(tier.map(|tier| match &*tier {
            [] => KnownKey::on_default_tier(),
            tier => KnownKey::on_tier(String::from_utf8_lossy(tier)),
        }))
    }
}

impl fmt::Debug for RedisTiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTiers")
            .field("server", &self.shard.pool.server())
            .finish_non_exhaustive()
    }
}
