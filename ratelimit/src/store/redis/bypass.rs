//! The switch that turns limits off, where all processes see it.
//!
//! It is one key, whose time to live is that of the bypass: Redis ends it, whatever becomes of the
//! process that began it.

use std::time::{Duration, UNIX_EPOCH};

use redis::{Value, from_redis_value, pipe};
use serde_json::json;

use super::RedisStore;
use crate::store::{FleetBypass, StoreError};

const KEY: &str = "bypass";

/// The longest value that is read, in bytes. The API lets a reason have 500, each of which JSON writes
/// with up to six.
const VALUE_MAX: usize = 4_096;

/// The reply of `PTTL` for a key that does not exist.
const NO_KEY: i64 = -2;

impl RedisStore {
    pub(crate) async fn read_bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        let key = self.fleet_key(KEY);
        let mut read = pipe();
        // Twice a second in each process: what is written there by hand may be of any length.
        read.getrange(&key, 0, VALUE_MAX.cast_signed()).pttl(&key);
        let answers = self.send_aside(&read).await?;
        let no_bypass = || {
            StoreError::refused(format!(
                "the key {key} is no bypass: remove it with DEL, and start a bypass with start_bypass"
            ))
        };
        let (value, lasts): (Vec<u8>, i64) =
            from_redis_value(Value::Array(answers)).map_err(|_| no_bypass())?;
        if value.is_empty() || lasts == NO_KEY {
            return Ok(None);
        }
        if value.len() > VALUE_MAX {
            return Err(no_bypass());
        }
        // Without an end, as somebody may have written it by hand, it is none.
        let lasts = u64::try_from(lasts).map_err(|_| no_bypass())?;
        let bypass = kept(&value, Duration::from_millis(lasts));
        bypass.ok_or_else(no_bypass).map(Some)
    }

    pub(crate) async fn write_bypass(&self, bypass: &FleetBypass) -> Result<(), StoreError> {
        let since = bypass.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = json!({ "reason": bypass.reason, "since_ms": millis(since) }).to_string();
        let mut write = pipe();
        let lasts = millis(bypass.remaining);
        write
            .cmd("SET")
            .arg(self.fleet_key(KEY))
            .arg(text)
            .arg("PX")
            .arg(lasts.max(1));
        self.send_aside(&write).await.map(drop)
    }

    pub(crate) async fn remove_bypass(&self) -> Result<(), StoreError> {
        let mut remove = pipe();
        remove.del(self.fleet_key(KEY));
        self.send_aside(&remove).await.map(drop)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn kept(value: &[u8], remaining: Duration) -> Option<FleetBypass> {
    let value: serde_json::Value = serde_json::from_slice(value).ok()?;
    let since = Duration::from_millis(value["since_ms"].as_u64()?);
    Some(FleetBypass {
        reason: value["reason"].as_str()?.to_owned(),
        since: UNIX_EPOCH.checked_add(since)?,
        remaining,
    })
}
