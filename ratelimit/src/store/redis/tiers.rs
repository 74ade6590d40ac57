//! Tiers of API keys in Redis: the hash `api_key:{key}`, field `tier`.

use std::{fmt, sync::Arc};

use redis::{Value, from_redis_value, pipe};

use super::connection::Connections;
use crate::client::{ApiKey, KnownKey, ResolveError, TierResolver};

/// Reads the tier of an API key from Redis: `HSET api_key:k-alice tier pro` puts the key `k-alice`
/// on the tier `pro`.
///
/// A key that has a hash but no field `tier` in it is known, and on the default tier. Had with
/// [`RedisStore::tiers`](crate::RedisStore::tiers).
#[derive(Clone)]
pub struct RedisTiers {
    connections: Arc<Connections>,
}

impl RedisTiers {
    pub(super) fn new(connections: Arc<Connections>) -> Self {
        Self { connections }
    }
}

impl TierResolver for RedisTiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let name = [b"api_key:", key.as_bytes()].concat();
        let mut lookup = pipe();
        lookup.hget(&name, "tier").exists(&name);
        let (tier, exists): (Option<Vec<u8>>, bool) = self
            .connections
            .send_all(&lookup)
            .await
            .and_then(|answers| Value::Array(answers).extract_error())
            .and_then(|answers| Ok(from_redis_value(answers)?))
            .map_err(|error| ResolveError::new(self.connections.failed(&error)))?;
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
            .field("server", &self.connections.server())
            .finish()
    }
}
