//! Tiers of API keys in Redis: the hash `api_key:{key}`, field `tier`.

use std::{fmt, sync::Arc};

use redis::{Cmd, RedisError, Value, from_redis_value};

use super::{
    connection::{lacks_permission, reason},
    deployment::{Deployment, Route},
    shard::{Shard, TimeLimit},
};
use crate::{
    client::{ApiKey, KnownKey, ResolveError, TierResolver},
    foreign_text::Explanation,
    policy::LONGEST_TIER_NAME,
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
/// Every hash under this prefix that has the field `tier` makes the rest of its name a known key;
/// [`tier_prefix`](crate::RedisStoreBuilder::tier_prefix) sets another prefix. The other fields are the
/// application's: they are neither read nor written. Of a tier's name no more than 257 bytes are read.
///
/// [`RedisStore::tiers`](crate::RedisStore::tiers) returns it. A limiter with a
/// [`RedisStore`](crate::RedisStore) uses it unless it is given another
/// [`tier_resolver`](crate::Builder::tier_resolver). The look-up then has the store's
/// [`timeout`](crate::RedisStoreBuilder::timeout) for itself, and the check after it has the same time
/// again. If Redis does not answer the look-up, the check is decided as during an outage, so that a
/// request waits once for a server that hangs.
#[derive(Clone)]
pub struct RedisTiers {
    deployment: Deployment,
    prefix: Arc<str>,
}

impl RedisTiers {
    pub(super) fn new(deployment: Deployment, prefix: Arc<str>) -> Self {
        Self { deployment, prefix }
    }

    /// Returns the name of a key's hash.
    fn name(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix.as_bytes(), key].concat()
    }

    /// Puts a key on a tier, or makes it unknown. Other fields of its hash stay as they are.
    pub(crate) async fn set(&self, key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let name = self.name(key.as_bytes());
        let command = match tier {
            Some(tier) => Cmd::hset(&name, FIELD, tier),
            None => Cmd::hdel(&name, FIELD),
        };
        self.send(&name, &command).await.map(drop)
    }

    /// Returns the field `tier`, or the beginning of one that is longer than any tier's name: what
    /// others write into Redis is read in bounded room.
    async fn look_up(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(LOOK_UP)
            .arg(1)
            .arg(name)
            .arg(FIELD)
            .arg(LONGEST_TIER_NAME + 1);
        let answer = self.send(name, &command).await?;
        from_redis_value(answer).map_err(|_| no_hash())
    }

    async fn send(&self, name: &[u8], command: &Cmd) -> Result<Value, StoreError> {
        let limit = TimeLimit::from(self.deployment.budget());
        let question = |route: Route| async move { route.send(command, limit.deadline).await };
        self.deployment
            .ask(|| name.to_vec(), limit, question, failed)
            .await
    }
}

const FIELD: &str = "tier";

/// `HGET` of a part of the value. There is no command for that, and `HSTRLEN` before it would be another
/// round trip and another permission. It is short enough to be sent each time.
const LOOK_UP: &str = include_str!("scripts/tier.lua");

fn failed(shard: &Shard, error: &RedisError) -> StoreError {
    match error.code() {
        Some("WRONGTYPE") => no_hash(),
        // The server answers, and the checks need other permissions.
        _ if lacks_permission(error) => StoreError::refused(Explanation(reason(error))),
        _ => shard.pool.failed(error),
    }
}

fn no_hash() -> StoreError {
    StoreError::of_one_bucket("an API key's entry is no hash")
}

impl TierResolver for RedisTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let name = self.name(key.as_bytes());
        let tier = self.look_up(&name).await.map_err(|error| {
            if error.is_of_one_bucket() || error.is_refusal() {
                ResolveError::new(Explanation(error.to_string()))
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
            .field("server", &self.deployment.server())
            .finish_non_exhaustive()
    }
}
