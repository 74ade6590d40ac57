//! Tiers of API keys in Redis: the hash `api_key:{key}`, field `tier`.

use std::fmt;

use redis::{RedisError, Value, from_redis_value, pipe};

use super::shard::Shard;
use crate::{
    client::{ApiKey, KnownKey, ResolveError, TierResolver},
    store::StoreError,
};

/// Reads the tier of an API key from Redis: `HSET api_key:k-alice tier pro` puts the key `k-alice`
/// on the tier `pro`.
///
/// A key that has a hash but no field `tier` in it is known, and on the default tier. Had with
/// [`RedisStore::tiers`](crate::RedisStore::tiers).
#[derive(Clone)]
pub struct RedisTiers {
    shard: Shard,
}

impl RedisTiers {
    pub(super) fn new(shard: Shard) -> Self {
        Self { shard }
    }

    /// Puts a key on a tier, or makes it unknown.
    pub(crate) async fn set(&self, key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let name = name(key.as_bytes());
        let command = match tier {
            Some(tier) => redis::Cmd::hset(name, "tier", tier),
            None => redis::Cmd::del(name),
        };
        let Shard { pool, breaker } = &self.shard;
        let set = async || {
            let answer = pool.send(&command, pool.budget()).await;
            let answer = answer.and_then(Value::extract_error);
            answer.map(drop).map_err(|error| self.failed(&error))
        };
        breaker.ask(set).await
    }

    /// The field `tier`, and whether there is such a key at all.
    async fn look_up(&self, name: &[u8]) -> Result<(Option<Vec<u8>>, bool), StoreError> {
        let mut lookup = pipe();
        lookup.hget(name, "tier").exists(name);
        let pool = &self.shard.pool;
        pool.send_all(&lookup, pool.budget())
            .await
            .and_then(|answers| Value::Array(answers).extract_error())
            .and_then(|answers| Ok(from_redis_value(answers)?))
            .map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &RedisError) -> StoreError {
        match error.code() {
            Some("WRONGTYPE") => StoreError::of_one_bucket("an API key's entry is no hash"),
            _ => self.shard.pool.failed(error),
        }
    }
}

fn name(key: &[u8]) -> Vec<u8> {
    [b"api_key:", key].concat()
}

impl TierResolver for RedisTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let name = name(key.as_bytes());
        let answer = self.shard.breaker.ask(|| self.look_up(&name)).await;
        let (tier, exists) = answer.map_err(|error| {
            if error.is_of_one_bucket() {
                ResolveError::new(error)
            } else {
                ResolveError::unavailable(error)
            }
        })?;
        // A tier that is no text is none that a policy declares.
        Ok(match tier {
            Some(tier) => Some(KnownKey::on_tier(String::from_utf8_lossy(&tier))),
            None if exists => Some(KnownKey::on_default_tier()),
            None => None,
        })
    }
}

impl fmt::Debug for RedisTiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTiers")
            .field("server", &self.shard.pool.server())
            .finish_non_exhaustive()
    }
}
